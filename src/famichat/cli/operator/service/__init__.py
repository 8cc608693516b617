"""`famichat service`: runs the server as a service of systemd."""
