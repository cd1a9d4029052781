"""The sandbox's Reddit, Arctic Shift and imgur, asked as the real ones are."""

import asyncio
import io
import json
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from collectors.sandbox.reddit.archive_api import archived
from collectors.sandbox.server import make_sandbox, serving

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "reddit_api" / "recorded.jsonl"
BEARER = {"Authorization": "bearer sandbox-token"}
CLIENT_ID = {"Authorization": "Client-ID abc"}
OAUTH = "/oauth.reddit.com"
ARCHIVE = "/arctic-shift.photon-reddit.com/api/posts"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def ask(sandbox, *paths, headers=None, method="GET"):
    """Ask for one path or several; gives one reply or a list."""

    async def go():
        async with serving(sandbox) as base, aiohttp.ClientSession() as session:
            replies = []
            for path in paths:
                async with session.request(
                    method, base + path, headers=headers, allow_redirects=False
                ) as answer:
                    replies.append(Reply(answer.status, answer.headers, await answer.read()))
            return replies

    replies = asyncio.run(go())
    return replies[0] if len(paths) == 1 else replies


def ids_of(reply):
    return [child["data"]["id"] for child in reply.json["data"]["children"]]


def test_a_client_id_gets_a_token_that_opens_the_api():
    sandbox = make_sandbox(posts=20)
    basic = {"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}
    token = ask(sandbox, "/www.reddit.com/api/v1/access_token", headers=basic, method="POST").json
    assert token.keys() == {"access_token", "token_type", "expires_in", "scope"}
    bearer = {"Authorization": f"bearer {token['access_token']}"}
    reply = ask(sandbox, f"{OAUTH}/r/happy/new", headers=bearer)
    assert reply.status == 200
    assert (reply.headers["x-ratelimit-remaining"], reply.headers["x-ratelimit-used"]) == ("999.0", "1")


def test_a_wrong_client_id_or_token_is_unauthorized():
    sandbox = make_sandbox(posts=20)
    refused = {"message": "Unauthorized", "error": 401}
    for headers in ({"Authorization": "Basic d3Jvbmc6c2VjcmV0"}, {"Authorization": "Basic %%"}, {}):
        reply = ask(sandbox, "/www.reddit.com/api/v1/access_token", headers=headers, method="POST")
        assert (reply.status, reply.json) == (401, refused)
    for headers in ({}, {"Authorization": "bearer stolen"}):
        reply = ask(sandbox, f"{OAUTH}/r/happy/new", headers=headers)
        assert (reply.status, reply.json) == (401, refused)


@pytest.mark.slow
def test_a_listing_pages_to_a_thousand_posts_without_repeats():
    sandbox = make_sandbox(posts=3239)

    async def walk():
        seen, after, pages = [], "", 0
        async with serving(sandbox) as base, aiohttp.ClientSession(headers=BEARER) as session:
            while after is not None:
                url = f"{base}{OAUTH}/r/happy/top?t=all&limit=100&raw_json=1&after={after}"
                async with session.get(url) as answer:
                    data = (await answer.json())["data"]
                seen += [child["data"] for child in data["children"]]
                after, pages = data["after"], pages + 1
        return seen, pages

    seen, pages = asyncio.run(walk())
    assert (len(seen), pages) == (1000, 10)
    assert len({post["id"] for post in seen}) == 1000
    scores = [post["score"] for post in seen]
    assert scores == sorted(scores, reverse=True)
    assert {post["removed_by_category"] for post in seen} == {None}


def test_a_listing_sorts_and_limits_as_asked():
    sandbox = make_sandbox(posts=600)
    new, default, year, day = ask(
        sandbox,
        f"{OAUTH}/r/HAPPY/new?limit=500",
        f"{OAUTH}/r/happy/hot",
        f"{OAUTH}/r/happy/top?t=year&limit=100",
        f"{OAUTH}/r/happy/top",
        headers=BEARER,
    )
    times = [child["data"]["created_utc"] for child in new.json["data"]["children"]]
    assert len(times) == 100 and times == sorted(times, reverse=True)
    assert len(ids_of(default)) == 25
    assert 0 < len(ids_of(year)) < 60
    assert len(ids_of(day)) <= 1
    with_missing_after = ask(sandbox, f"{OAUTH}/r/happy/new?after=t3_zzzzzz", headers=BEARER)
    assert with_missing_after.json["data"]["after"] is None and ids_of(with_missing_after) == []


def test_subreddits_fail_as_reddits_do():
    sandbox = make_sandbox(posts=20)
    unknown, private, quarantined, banned, empty = ask(
        sandbox,
        *(f"{OAUTH}/r/{n}/top" for n in ("nosuch", "PrivateSub", "quarantinedsub", "bannedsub", "emptysub")),
        headers=BEARER,
    )
    assert unknown.status == 302
    assert unknown.headers["Location"] == "https://oauth.reddit.com/subreddits/search.json?q=nosuch"
    assert private.status == 403
    assert private.json == {"reason": "private", "message": "Forbidden", "error": 403}
    assert (quarantined.status, quarantined.json["reason"]) == (403, "quarantined")
    assert "quarantine_message" in quarantined.json
    assert (banned.status, banned.json["reason"]) == (404, "banned")
    assert (empty.status, ids_of(empty)) == (200, [])


def test_info_gives_known_posts_and_shows_removed_ones_as_such():
    sandbox = make_sandbox(posts=600)
    posts = sandbox.corpus.posts
    deleted = next(post for post in posts if post.removed == "deleted")
    moderated = next(post for post in posts if post.removed == "moderator" and post.form != "text")
    names = f"t3_{deleted.id},t3_zzzzzz,t5_2qk00,t3_{moderated.id}"
    with_slash, without = ask(
        sandbox, f"{OAUTH}/api/info/?id={names}&raw_json=1", f"{OAUTH}/api/info?id={names}", headers=BEARER
    )
    assert ids_of(with_slash) == ids_of(without) == [deleted.id, moderated.id]
    first, second = (child["data"] for child in with_slash.json["data"]["children"])
    assert (first["title"], first["author"], first["selftext"]) == (
        "[deleted by user]",
        "[deleted]",
        "[removed]",
    )
    assert (first["removed_by_category"], first["is_robot_indexable"]) == ("deleted", False)
    assert (second["removed_by_category"], second["title"]) == ("moderator", moderated.title)
    many = ",".join(f"t3_{post.id}" for post in posts[:150])
    assert len(ids_of(ask(sandbox, f"{OAUTH}/api/info?id={many}", headers=BEARER))) == 100


def test_strings_are_escaped_unless_raw_json_is_asked_for():
    sandbox = make_sandbox(posts=300)
    post = next(p for p in sandbox.corpus.posts if p.form == "reddit_image" and not p.removed)
    raw, escaped = ask(
        sandbox,
        f"{OAUTH}/api/info?id=t3_{post.id}&raw_json=1",
        f"{OAUTH}/api/info?id=t3_{post.id}",
        headers=BEARER,
    )
    urls = [
        reply.json["data"]["children"][0]["data"]["preview"]["images"][0]["source"]["url"]
        for reply in (raw, escaped)
    ]
    assert "?auto=webp&s=" in urls[0]
    assert urls[1] == urls[0].replace("&", "&amp;")


def test_search_finds_words_and_about_describes():
    sandbox = make_sandbox(posts=600)
    found, about = ask(
        sandbox,
        f"{OAUTH}/r/creepy/search/?q=Ghost&restrict_sr=on&sort=new&limit=100&raw_json=1",
        f"{OAUTH}/r/creepy/about/",
        headers=BEARER,
    )
    titles = [child["data"]["title"].lower() for child in found.json["data"]["children"]]
    assert titles and all("ghost" in title for title in titles)
    assert (about.json["kind"], about.json["data"]["display_name"]) == ("t5", "creepy")


def test_a_crosspost_leaves_its_media_with_its_parent():
    sandbox = make_sandbox(posts=600)
    post = next(p for p in sandbox.corpus.posts if p.form == "crosspost" and p.parent.form == "gallery")
    (child,) = ask(sandbox, f"{OAUTH}/api/info?id=t3_{post.id}&raw_json=1", headers=BEARER).json["data"][
        "children"
    ]
    data = child["data"]
    (parent,) = data["crosspost_parent_list"]
    assert data["crosspost_parent"] == parent["name"] == f"t3_{post.parent.id}"
    assert data["url"] == parent["url"] == f"https://www.reddit.com/gallery/{post.parent.id}"
    assert "media_metadata" not in data and "gallery_data" not in data
    assert parent["media_metadata"].keys() == {item["media_id"] for item in parent["gallery_data"]["items"]}


def test_payloads_have_the_keys_of_the_recorded_ones():
    if not RECORDED.is_file():
        pytest.skip(f"the recorded exchanges are not here: {RECORDED}")
    exchanges = map(json.loads, RECORDED.read_text().splitlines())
    popular = next(json.loads(e["body"]) for e in exchanges if "/r/popular/hot" in e["url"])
    theirs = [child["data"] for child in popular["data"]["children"]]
    sandbox = make_sandbox(posts=600)
    page = ask(sandbox, f"{OAUTH}/r/happy/new?limit=100&raw_json=1", headers=BEARER).json
    ours = [child["data"] for child in page["data"]["children"]]
    assert page["data"].keys() == popular["data"].keys()

    def is_image(post):
        return post.get("post_hint") == "image" and post["domain"] == "i.redd.it"

    def is_gallery(post):
        return post.get("is_gallery") is True

    flair = {"link_flair_template_id"}
    for kind in (is_image, is_gallery):
        their_one = next(post for post in theirs if kind(post))
        our_one = next(post for post in ours if kind(post) and post["author"] != "[deleted]")
        assert our_one.keys() - their_one.keys() == set()
        assert their_one.keys() - our_one.keys() - flair == set()
        for key, value in their_one.items():
            if value is not None and our_one.get(key) is not None:
                assert isinstance(our_one[key], type(value)), key
    their_item = next(iter(next(filter(is_gallery, theirs))["media_metadata"].values()))
    our_items = next(filter(is_gallery, ours))["media_metadata"].values()
    our_item = next(item for item in our_items if item["status"] == "valid" and item["e"] == "Image")
    assert our_item.keys() == their_item.keys()
    assert our_item["s"].keys() == their_item["s"].keys()


def test_the_archive_pages_by_time_and_holds_what_was_removed():
    sandbox = make_sandbox(posts=600)

    async def walk():
        seen, after = {}, 0
        async with serving(sandbox) as base, aiohttp.ClientSession() as session:
            while True:
                # One second back, and by id: two posts may share a second, and `after` is exclusive.
                url = f"{base}{ARCHIVE}/search?subreddit=gore&sort=asc&limit=100&after={after - 1}"
                async with session.get(url) as answer:
                    page = (await answer.json())["data"]
                fresh = [post for post in page if post["id"] not in seen]
                seen |= {post["id"]: post for post in fresh}
                if not fresh:
                    return seen
                after = page[-1]["created_utc"]

    seen = asyncio.run(walk())
    expected = [post for post in sandbox.corpus.posts if post.sub == "gore"]
    assert seen.keys() == {post.id for post in expected}
    assert any(post.removed for post in expected)
    assert all(seen[post.id]["title"].replace("&amp;", "&") == post.title for post in expected)
    low = sum(seen[post.id]["score"] < post.ups / 2 for post in expected) / len(expected)
    assert 0.22 < low < 0.45
    previews = [post["preview"]["images"][0]["source"]["url"] for post in seen.values() if "preview" in post]
    assert previews and all("&amp;s=" in url for url in previews)


def test_the_archive_notes_what_was_removed_of_posts_since_november_2023():
    removed = make_sandbox(posts=600).corpus.posts[0].replace(removed="moderator", created_utc=1_698_796_799)
    assert "_meta" not in archived(removed)
    since = archived(removed.replace(created_utc=1_698_796_800))
    assert since["_meta"] == {"was_deleted_later": True, "removal_type": "moderator"}
    assert since["removed_by_category"] is None
    assert "_meta" not in archived(removed.replace(removed=None, created_utc=1_698_796_800))


def test_the_archive_counts_by_year_and_needs_a_start():
    sandbox = make_sandbox(posts=300)
    posts = [post for post in sandbox.corpus.posts if post.sub == "gore"]
    path = f"{ARCHIVE}/search/aggregate?subreddit=gore&aggregate=created_utc&frequency="
    counted, since, no_start, weeks = ask(
        sandbox,
        f"{path}year&after=2005-01-01",
        f"{path}year&after=2024-01-01",
        f"{path}year",
        f"{path}week&after=2005-01-01",
    )
    assert sum(int(year["count"]) for year in counted.json["data"]) == len(posts)
    assert counted.json["data"][-1] == since.json["data"][0]
    assert since.json["data"][0]["created_utc"] == "2024-01-01T00:00:00.000Z"
    assert [(reply.status, reply.json["error"]) for reply in (no_start, weeks)] == [
        (400, "after or before is required"),
        (400, "aggregate must be created_utc, and frequency year"),
    ]


def test_the_archive_takes_dates_and_ids_and_refuses_the_rest():
    sandbox = make_sandbox(posts=300)
    corpus = sandbox.corpus
    iso, epoch, by_id, bad_limit, bad_date, nobody = ask(
        sandbox,
        f"{ARCHIVE}/search?subreddit=Happy&after=2020-01-01&before=2021-01-01&limit=100&sort=asc",
        f"{ARCHIVE}/search?subreddit=happy&after=1577836800&before=1609459200000&limit=100&sort=asc",
        f"{ARCHIVE}/ids?ids={corpus.post(0).id},t3_{corpus.post(1).id},zzzzzz",
        f"{ARCHIVE}/search?subreddit=happy&limit=101",
        f"{ARCHIVE}/search?subreddit=happy&after=someday",
        f"{ARCHIVE}/search?subreddit=nosuch",
    )
    assert iso.json == epoch.json and len(iso.json["data"]) > 3
    assert [post["id"] for post in by_id.json["data"]] == [corpus.post(0).id, corpus.post(1).id]
    assert bad_limit.status == bad_date.status == 400
    assert bad_date.json == {"data": None, "error": "Invalid date: someday"}
    assert nobody.json == {"data": []}


def test_an_album_is_known_to_the_api_alone():
    sandbox = make_sandbox(posts=600)
    album, post = next(iter(sandbox.corpus.albums.items()))
    api, whole, gallery, direct = ask(
        sandbox,
        f"/api.imgur.com/3/album/{album}/images",
        f"/api.imgur.com/3/album/{album}",
        f"/api.imgur.com/3/gallery/some-words-{album}",
        f"/i.imgur.com/{album}.jpg",
        headers=CLIENT_ID,
    )
    assert [image["id"] for image in api.json["data"]] == [picture.id for picture in post.pictures]
    assert 2 <= len(api.json["data"]) <= 4 and api.json["success"] is True
    assert whole.json["data"]["images"] == gallery.json["data"]["images"] == api.json["data"]
    assert gallery.json["data"]["is_album"] is True
    assert (direct.status, direct.headers["Location"]) == (302, "https://i.imgur.com/removed.png")
    image = api.json["data"][0]
    fetched = ask(sandbox, "/" + image["link"].removeprefix("https://"))
    assert (len(fetched.body), fetched.headers["Content-Type"]) == (image["size"], image["type"])


def test_imgurs_api_wants_a_client_id():
    sandbox = make_sandbox(posts=100)
    path = f"/api.imgur.com/3/album/{next(iter(sandbox.corpus.albums))}/images"
    reply = ask(sandbox, path)
    assert reply.status == 401
    assert reply.json == {
        "data": {"error": "Authentication required", "request": path[14:], "method": "GET"},
        "success": False,
        "status": 401,
    }
    assert ask(sandbox, path, headers={"Authorization": "Client-ID wrong"}).status == 403
    assert ask(sandbox, "/api.imgur.com/3/image/nosuch", headers=CLIENT_ID).status == 404


def test_imgur_serves_the_real_format_whatever_the_extension():
    sandbox = make_sandbox(posts=600)
    moving = next(p for p in sandbox.corpus.posts if p.form == "imgur_direct" and ".gifv" in p.url)
    reply, page, removed = ask(
        sandbox,
        f"/i.imgur.com/{moving.pictures[0].id}.jpg",
        f"/imgur.com/{moving.pictures[0].id}",
        "/i.imgur.com/removed.png",
    )
    assert (reply.status, reply.headers["Content-Type"], reply.body[:4]) == (200, "image/gif", b"GIF8")
    assert page.headers["Content-Type"].startswith("text/html")
    assert (removed.status, removed.headers["Content-Type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(removed.body)).size == (161, 81)


@pytest.mark.slow
def test_every_address_of_every_post_leads_to_something():
    sandbox = make_sandbox(posts=120)
    posts = sandbox.corpus.posts
    replies = ask(sandbox, *("/" + post.url.partition("//")[2] for post in posts), headers=BEARER)
    forms = {"reddit_image": "image", "imgur_direct": "image", "imgur_page": "text", "link": "text"}
    for post, reply in zip(posts, replies, strict=True):
        if post.form in forms:
            assert reply.status == 200, post.url
            assert reply.headers["Content-Type"].startswith(forms[post.form]), post.url


def test_previews_are_webp_at_the_width_asked_for():
    sandbox = make_sandbox(posts=300)
    posts = [p for p in sandbox.corpus.posts if not p.removed and p.created_utc > 1_500_000_000]
    own = next(p for p in posts if p.form == "reddit_image")
    link = next(p for p in posts if p.form == "link")
    pages = ask(sandbox, *(f"{OAUTH}/api/info?id=t3_{p.id}&raw_json=1" for p in (own, link)), headers=BEARER)
    for page, host in zip(pages, ("preview.redd.it", "external-preview.redd.it"), strict=True):
        preview = page.json["data"]["children"][0]["data"]["preview"]["images"][0]
        for shown in (preview["source"], preview["resolutions"][0]):
            assert shown["url"].startswith(f"https://{host}/")
            reply = ask(sandbox, "/" + shown["url"].removeprefix("https://"))
            assert reply.headers["Content-Type"] == "image/webp"
            assert Image.open(io.BytesIO(reply.body)).size == (shown["width"], shown["height"])


def test_unknown_hosts_and_paths_are_not_found():
    sandbox = make_sandbox(posts=10)
    paths = (
        "/i.redd.it/nosuch.jpg",
        "/i.reddituploads.com/x",
        "/bench.example/x.jpg",
        "/preview.redd.it/a.jpg",
    )
    assert Counter(reply.status for reply in ask(sandbox, *paths)) == {404: 4}
