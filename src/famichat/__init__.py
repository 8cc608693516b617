"""Famichat: a messenger that a family runs for itself."""
