"""Checks of what surrounds a server: the disks, the clock, the public URL and the push services.

`famichat doctor` prints them. A running server repeats them for its metrics.
"""
