"""What a crawl of Flickr left: rows of its store, and the calls that the sandbox heard."""

import sqlite3
from pathlib import Path

from benchmarks import flickr as crash


def rows(store, query):
    with sqlite3.connect(Path(store) / "crawl.sqlite") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def calls(base):
    return {name: n for name, n in crash.requests_by_path(base).items() if "/services/rest/" in name}
