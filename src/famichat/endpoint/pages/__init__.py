"""The web client's pages, branding, icons and file downloads."""
