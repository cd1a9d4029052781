"""A dataset on disk, tables and a folder of images, becomes a crawl store (`python -m collectors.local`)."""
