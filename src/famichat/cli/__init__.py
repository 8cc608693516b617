"""The `famichat` program, one file per noun."""
