"""How clients reach the server: WebSocket (RFC 6455) and long poll, with their limits and connection accounting."""
