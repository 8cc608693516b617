"""Photos, files and voice notes: taken in piece by piece, made harmless, kept sealed, and given to members only."""
