"""The entry points: parse WebSocket events and HTTP requests, call one action each, and send its result."""
