"""Web Push notifications (RFC 8030, 8291, 8292) to devices that do not acknowledge a message in the foreground."""
