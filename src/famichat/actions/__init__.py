"""Use cases: one function for each thing that a user or the operator can do.

An action takes the `Services` and the authenticated `actor`. It checks the rate limit, runs the transaction with
`Services.read`, `write` or `write_between_batches`, emits telemetry and broadcasts after the commit. WebSocket, HTTP
and the command line call the same actions, so none of them can forget a step.
"""
