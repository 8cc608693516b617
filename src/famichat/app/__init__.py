"""The server process: builds the services, starts them, and stops them in order."""
