"""The database and its transactions, encryption at rest, backup and migrations."""
