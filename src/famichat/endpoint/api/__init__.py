"""The same calls over HTTP, one file per noun."""
