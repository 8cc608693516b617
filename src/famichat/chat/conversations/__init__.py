"""Creating, renaming, listing and viewing conversations."""
