"""The encryption envelope: the public metadata of an end-to-end encrypted message."""
