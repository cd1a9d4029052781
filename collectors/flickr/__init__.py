"""Flickr: photos that were voted on, or found for an adjective-noun pair, with what Flickr says of them."""
