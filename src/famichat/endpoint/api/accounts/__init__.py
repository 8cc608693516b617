"""Routes for a user's own account: setup, sessions, passkeys, profile, devices, notifications and account history."""
