"""What actions tell clients after their commit: broadcasts, unread counts, presence and heads."""
