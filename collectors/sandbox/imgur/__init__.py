"""Stand-ins for imgur's pages, API and image host."""
