"""The doors: frames and requests become calls, and results become replies."""
