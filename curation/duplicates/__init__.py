"""Duplicates by bytes, image hashes and texts: the groups, and what a recipe makes of them."""
