"""The crawl store: posts, images and runs in one folder. No other package contains SQL.

schema     tables, version and migrations
rows       posts and media as rows
runs       which runs are alive, and taking over from dead ones
store      `Store`, open for reading and writing
snapshot   a copy of rows, all of one moment, for a build
lookup     what a store of any version keeps of a post
layout     paths in the store's folder
database   `crawl.sqlite`: created, checked, opened
keys       the key that hashes authors' names
record     `Post`, `Media` and what else a collector produces
"""

from collectors.store.layout import media_path
from collectors.store.store import Store
from collectors.store.waiting import Task

__all__ = ["Store", "Task", "media_path"]
