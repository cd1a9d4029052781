"""The page at `/`: what the sandbox is, with example requests."""

from __future__ import annotations

from collections import Counter
from html import escape

from collectors.sandbox.state.faults import KNOWN
from collectors.sandbox.state.state import Sandbox


def index_html(sandbox: Sandbox, base: str) -> str:
    """Return the page for a browser."""
    corpus = sandbox.corpus
    subs = Counter(post.sub for post in corpus.posts)
    first = next((post for post in corpus.posts if post.form == "reddit_image"), None)
    album = next(iter(corpus.albums), "ID")
    photo = next(iter(sandbox.flickr.photos), "ID")
    flickr_call = f"method=flickr.photos.getInfo&photo_id={photo}&api_key=X"
    entries = [
        ("POST", "/www.reddit.com/api/v1/access_token", "a token, for any client id but “wrong”"),
        ("GET", "/oauth.reddit.com/r/happy/top?t=all&limit=100&raw_json=1", "a listing; needs the token"),
        (
            "GET",
            f"/oauth.reddit.com/api/info?id=t3_{corpus.posts[0].id if corpus.posts else 'ID'}",
            "posts by id",
        ),
        ("GET", "/arctic-shift.photon-reddit.com/api/posts/search?subreddit=happy&sort=asc", "the archive"),
        (
            "GET",
            "/arctic-shift.photon-reddit.com/api/posts/search/aggregate"
            "?subreddit=happy&aggregate=created_utc&frequency=year&after=2005-01-01",
            "its posts by year",
        ),
        ("GET", f"/api.imgur.com/3/album/{album}/images", "an album; needs Authorization: Client-ID X"),
        ("GET", f"/i.redd.it/{first.pictures[0].id if first else 'ID'}.jpg", "an image"),
        ("GET", f"/api.flickr.com/services/rest/?{flickr_call}", "a Flickr photo, for any key but “wrong”"),
        ("GET", "/~lists", "lists of Flickr photos and of adjective-noun pairs, for the collector"),
        ("GET", "/bench.example/1.jpg", "an image of the benchmark"),
        ("GET", "/~stats", "the number of requests so far; POST /~reset sets it to 0"),
    ]
    rows = "".join(
        f'<tr><td>{method}</td><td><a href="{path}">{path}</a></td><td>{what}</td></tr>'
        for method, path, what in (map(escape, entry) for entry in entries)
    )
    rates = sandbox.faults.rates
    faults = "".join(
        f"<tr><td>{name}</td><td>{rates.get(name, 0):g}</td><td>{escape(what)}</td></tr>"
        for name, what in KNOWN.items()
    )
    counts = ", ".join(f"r/{name} {count}" for name, count in sorted(subs.items()))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Affectory sandbox</title>
<style>body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem}}td{{padding-right:.8rem}}</style>
</head><body>
<h1>Affectory sandbox</h1>
<p>A server on this machine that imitates Reddit, imgur, Arctic Shift and Flickr. All posts and pictures here
are generated: {len(corpus)} posts with seed {corpus.seed} ({counts}).</p>
<p><code>{escape(base)}/HOST/PATH</code> answers as <code>https://HOST/PATH</code> would.</p>
<h2>Examples</h2><table>{rows}</table>
<h2>Faults</h2><table><tr><th>name</th><th>rate</th><th>what happens</th></tr>{faults}</table>
</body></html>
"""
