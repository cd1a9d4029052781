"""Any dataset on disk: tables and a folder of images become a crawl store (`python -m collectors.local`)."""
