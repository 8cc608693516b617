"""Authentication: passwords, passkeys (WebAuthn), sessions, tokens and login throttling."""
