"""Collect posts and their images from Reddit, Flickr and local folders into a crawl store."""
