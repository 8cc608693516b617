"""Families, conversations, messages and receipts: their rules and their records."""
