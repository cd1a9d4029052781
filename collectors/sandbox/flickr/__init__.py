"""Stand-ins for Flickr's API and image host."""
