"""Turn a crawl store into a versioned Parquet release."""
