"""Who is speaking: people, their devices and sessions, and how they come in."""
