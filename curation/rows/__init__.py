"""Read the crawl store into Arrow tables, one row per image of a post, and filter them shard by shard."""
