"""Imitations of imgur's pages, API and image host."""
