"""The HTTP client of all collectors: rate limits per host, limits on time and size, public addresses only."""
