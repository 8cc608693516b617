"""Backup and restore of a whole server: database, files and, if wanted, keys."""
