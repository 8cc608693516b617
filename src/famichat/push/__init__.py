"""Rings the devices that are not listening: Web Push, by our own keys, with nothing in it that was not asked for."""
