"""Flickr: photos that annotators voted on, or that were found for adjective-noun pairs, with their texts."""
