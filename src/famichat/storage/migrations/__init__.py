"""Alembic migrations, one file per revision; `famichat.storage.migrate` runs them."""
