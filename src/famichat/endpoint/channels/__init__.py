"""What a client may join: conversations, and its own person's news."""
