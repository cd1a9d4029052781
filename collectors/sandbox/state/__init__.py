"""The state of a running sandbox: its content, its faults and its rate limits."""
