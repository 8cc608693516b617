"""The `famichat` command line: one module per group of commands."""
