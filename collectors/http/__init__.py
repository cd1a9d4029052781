"""The HTTP client of all collectors: paced by host, bounded in time and size, closed to private addresses."""
