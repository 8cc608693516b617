"""Checks of a server: `famichat doctor` of everything, `famichat health` of whether it answers."""
