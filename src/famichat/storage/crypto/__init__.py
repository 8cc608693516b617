"""Encryption at rest: the vault, sealed files and columns, key versions, rotation and re-encryption."""
