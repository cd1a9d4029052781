"""What a running sandbox holds: its content, its faults and its rate limits."""
