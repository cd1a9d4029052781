"""What is measured on a text: its language and its number of words."""
