"""MLS groups: the delivery service (RFC 9750) of encrypted conversations, which orders commits and decrypts nothing."""
