"""Measurements of a text: its language and its number of words."""
