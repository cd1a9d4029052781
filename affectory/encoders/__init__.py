"""What turns images and texts into features, and the cache that keeps them."""
