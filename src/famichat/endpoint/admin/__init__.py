"""The admin socket, over which the operator's commands reach the running server."""
