"""The Phoenix channels that clients can join."""
