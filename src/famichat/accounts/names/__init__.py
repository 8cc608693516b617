"""Usernames, display names and e-mail addresses: parsing, normalisation and uniqueness."""
