"""The journal: the single writer of messages, with group commit."""
