"""What we carry but cannot read: the public metadata of an encrypted message."""
