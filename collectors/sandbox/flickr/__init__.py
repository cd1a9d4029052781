"""Imitations of Flickr's API and image host."""
