"""Group membership and roles."""
