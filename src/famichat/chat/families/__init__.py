"""Families: their members, how people join, and what family admins may do."""
