"""The crawl that all sources share: posts into the store, images beside them, and a summary."""
