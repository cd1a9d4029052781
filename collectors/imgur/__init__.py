"""imgur: what its links show, and which images its albums hold."""
