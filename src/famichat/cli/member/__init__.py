"""Commands of a user, who signs in to a running server."""
