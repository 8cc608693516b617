"""Use cases: one function for each thing a user or operator can do.

Each runs the transaction, emits telemetry and broadcasts.
"""
