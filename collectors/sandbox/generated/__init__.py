"""The sandbox's generated content: posts, photos, words and pictures, the same for the same seed."""
