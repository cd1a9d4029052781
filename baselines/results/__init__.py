"""What a run found: schema, statistics, tables, the page, and the figures of the papers."""
