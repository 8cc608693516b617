"""Messages: sending, editing, deleting, reacting, history, receipts, and their JSON."""
