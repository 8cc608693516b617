"""Use cases of accounts: sessions, sign-up, invites, devices, profiles, privacy and push notifications."""
