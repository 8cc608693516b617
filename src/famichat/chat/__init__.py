"""What was said: families, conversations, messages and receipts."""
