"""The database's history, one file per step; `famichat.storage.migrate` runs them."""
