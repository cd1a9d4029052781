"""From the crawl store to Arrow tables: one row per image of a post, filtered shard by shard."""
