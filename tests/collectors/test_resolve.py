"""`collectors.crawl.resolve`: which pictures a post or a link shows."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.crawl.resolve import resolve, resolve_url, unescape
from collectors.store.record import Media

INDEX = Path(__file__).parents[2].parent / "shared" / "data" / "reddit_emotion_index"


def shown(url, **options):
    """Return (url, kind, status, reason) of each of a link's media."""
    return [(media.url, media.kind, media.status, media.reason) for media in resolve_url(url, **options)]


IMAGES = {
    "https://i.redd.it/abc123.jpg": "https://i.redd.it/abc123.jpg",
    "http://i.redd.it/abc123.jpg": "https://i.redd.it/abc123.jpg",
    "https://preview.redd.it/abc.png?width=640&amp;s=1f": "https://i.redd.it/abc.png",
    "https://preview.redd.it/a-title-v0-abc123.jpeg?s=1f": "https://i.redd.it/abc123.jpeg",
    "https://preview.redd.it/award_images/abc.png?s=1f": "https://preview.redd.it/award_images/abc.png?s=1f",
    "https://www.reddit.com/media?url=https%3A%2F%2Fpreview.redd.it%2Fabc.png%3Fs%3D1f": "https://i.redd.it/abc.png",
    "https://i.imgur.io/aBc1234_d.jpg?maxwidth=640": "https://i.imgur.com/aBc1234.jpg",
    "http://0.imgur.com/aBc1234.jpg": "https://i.imgur.com/aBc1234.jpg",
    "http://example.com/a.avif": "http://example.com/a.avif",
    "http://example.com/a.tiff": "http://example.com/a.tiff",
    "http://example.com/a.tif?x=1": "http://example.com/a.tif?x=1",
    "https://external-preview.redd.it/abc?auto=webp&s=1f": "https://external-preview.redd.it/abc?auto=webp&s=1f",
    "https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fabc.png": "https://i.redd.it/abc.png",
    "https://i.reddituploads.com/a3c1?fit=max&amp;h=1536&amp;s=2b": "https://i.reddituploads.com/a3c1?fit=max&h=1536&s=2b",
    "http://i.imgur.com/aBc1234.jpg": "https://i.imgur.com/aBc1234.jpg",
    "http://i.imgur.com/aBc12.PNG?1": "https://i.imgur.com/aBc12.png",
    "http://i.imgur.com/aBc1234h.jpg": "https://i.imgur.com/aBc1234h.jpg",
    "https://i.imgur.com/aBc1234_d.webp?maxwidth=640": "https://i.imgur.com/aBc1234.webp",
    "http://www.imgur.com/aBc1234.jpeg": "https://i.imgur.com/aBc1234.jpeg",
    "http://m.imgur.com/aBc1234.gif": "https://i.imgur.com/aBc1234.gif",
    "http://imgur.com/aBc1234.gifv": "https://i.imgur.com/aBc1234.gif",
    "http://i.imgur.com/aBc1234.jpg)": "https://i.imgur.com/aBc1234.jpg",
    "http://imgur.com/gallery/aBc1234.png": "https://i.imgur.com/aBc1234.png",
    "https://i.stack.imgur.com/aBc12.png": "https://i.stack.imgur.com/aBc12.png",
    "http://farm4.staticflickr.com/3051/2476_fd_z.jpg": "https://farm4.staticflickr.com/3051/2476_fd_z.jpg",
    "http://pbs.twimg.com/media/BBIZ.jpg:large": "https://pbs.twimg.com/media/BBIZ.jpg:large",
    "https://pbs.twimg.com/media/BBIZ?format=jpg&name=orig": "https://pbs.twimg.com/media/BBIZ?format=jpg&name=orig",
    "http://example.com/a.JPG?x=1#top": "http://example.com/a.JPG?x=1",
    "http://example.com/a.jpe": "http://example.com/a.jpe",
    "http://example.com/a.jfif%20": "http://example.com/a.jfif%20",
    "http://example.com/a.webp/": "http://example.com/a.webp/",
    "https://static.wikia.nocookie.net/a.png/revision/latest?cb=2": "https://static.wikia.nocookie.net/a.png/revision/latest?cb=2",
    "http://example.com/files.php?file=a_picture.jpg": "http://example.com/files.php?file=a_picture.jpg",
    "https://drscdn.500px.org/photo/156/m=2048/e1": "https://drscdn.500px.org/photo/156/m=2048/e1",
    "//i.redd.it/abc123.bmp": "https://i.redd.it/abc123.bmp",
    "  http://example.com/a.bmp \n": "http://example.com/a.bmp",
}


@pytest.mark.parametrize("url", IMAGES)
def test_a_link_to_an_image_file_is_one_pending_image(url):
    assert shown(url) == [(IMAGES[url], "image", "pending", None)]


def test_a_link_to_a_preview_is_the_original_with_the_preview_behind_it():
    link = "https://preview.redd.it/abc.png?width=640&s=1f"
    (medium,) = resolve({"url": link.replace("&", "&amp;")})
    assert (medium.url, medium.fallback_url) == ("https://i.redd.it/abc.png", link)
    larger = "https://preview.redd.it/abc.png?auto=webp&s=2e"
    (medium,) = resolve({"url": link, "preview": {"images": [{"source": {"url": larger}}]}})
    assert (medium.url, medium.fallback_url) == ("https://i.redd.it/abc.png", larger)


IMGUR_PAGES = {
    "https://imgur.io/a/TcBmP": ("TcBmP", "imgur_album", "https://imgur.com/a/TcBmP"),
    "https://imgur.io/t/cat/qSB8NbN": ("qSB8NbN", "imgur_gallery", "https://imgur.com/gallery/qSB8NbN"),
    "http://imgur.com/aBc1234": ("aBc1234", "imgur_image", None),
    "https://www.imgur.com/aBc12/": ("aBc12", "imgur_image", None),
    "https://m.imgur.com/aBc1234#0": ("aBc1234", "imgur_image", None),
    "https://i.imgur.com/aBc1234": ("aBc1234", "imgur_image", None),
    "https://imgur.com/aBc1234,": ("aBc1234", "imgur_image", None),
    "https://imgur.com/a-cat-asleep-aBc1234": ("aBc1234", "imgur_image", None),
    "http://imgur.com/r/Gore/aBc1234": ("aBc1234", "imgur_image", None),
    "http://imgur.com/download/aBc1234/": ("aBc1234", "imgur_image", None),
    "http://imgur.com/a/aBc12": ("aBc12", "imgur_album", "https://imgur.com/a/aBc12"),
    "http://imgur.com/a/aBc12#3": ("aBc12", "imgur_album", "https://imgur.com/a/aBc12"),
    "http://m.imgur.com/a/aBc12/layout/grid": ("aBc12", "imgur_album", "https://imgur.com/a/aBc12"),
    "https://imgur.com/a/some-title-aBc1234": ("aBc1234", "imgur_album", "https://imgur.com/a/aBc1234"),
    "http://imgur.com/gallery/aBc1234": ("aBc1234", "imgur_gallery", "https://imgur.com/gallery/aBc1234"),
    "http://imgur.com/gallery/aBc12/new": ("aBc12", "imgur_gallery", "https://imgur.com/gallery/aBc12"),
    "http://imgur.com/gallery/aBc12?utm_content=b": (
        "aBc12",
        "imgur_gallery",
        "https://imgur.com/gallery/aBc12",
    ),
    "https://imgur.com/gallery/some-title-aBc1234": (
        "aBc1234",
        "imgur_gallery",
        "https://imgur.com/gallery/aBc1234",
    ),
    "https://imgur.com/t/cats/aBc1234": ("aBc1234", "imgur_gallery", "https://imgur.com/gallery/aBc1234"),
    "https://imgur.com/topic/Aww/aBc1234": ("aBc1234", "imgur_gallery", "https://imgur.com/gallery/aBc1234"),
}


@pytest.mark.parametrize("url", IMGUR_PAGES)
def test_an_imgur_page_keeps_its_kind_and_an_album_its_page(url):
    imgur_id, kind, page = IMGUR_PAGES[url]
    assert resolve_url(url) == (Media(f"https://i.imgur.com/{imgur_id}.jpg", 0, kind, detail=page),)


def test_an_imgur_page_of_several_images_gives_each_its_position():
    assert resolve_url("http://imgur.com/aBc1234,dEf5678") == (
        Media("https://i.imgur.com/aBc1234.jpg", 0, "imgur_image"),
        Media("https://i.imgur.com/dEf5678.jpg", 1, "imgur_image"),
    )


NOT_IMAGES = {
    "https://v.redd.it/abc123": "video",
    "https://www.youtube.com/watch?v=abc": "video",
    "https://youtu.be/abc": "video",
    "https://streamable.com/abc": "video",
    "https://gfycat.com/ThreeWordName": "video",
    "https://www.redgifs.com/watch/abc": "video",
    "https://example.com/a.mp4": "video",
    "https://example.com/a.webm?x=1": "video",
    "https://example.com/a.mov": "video",
    "https://preview.redd.it/abc.gif?format=mp4&s=1": "video",
    "https://i.imgur.com/aBc1234.mp4": "video",
    "https://imgur.com/user/someone": "link",
    "https://imgur.com/upload": "link",
    "https://imgur.com/r/pics": "link",
    "https://imgur.com/": "link",
    "https://en.wikipedia.org/wiki/File:Cat.jpg": "link",
    "https://example.com/a.jpg.html": "link",
    "https://example.com/news/today": "link",
    "/r/pics/comments/abc/a_title/": "link",
}


@pytest.mark.parametrize("url", NOT_IMAGES)
def test_films_and_pages_are_not_images(url):
    (media,) = resolve_url(url)
    reason = {"video": "video", "link": "external_page"}[NOT_IMAGES[url]]
    assert (media.kind, media.status, media.reason) == (NOT_IMAGES[url], "not_image", reason)


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        (None, "NoneType"),
        (7, "int"),
        (["https://i.redd.it/a.jpg"], "list"),
        ("", "no address"),
        ("imgur.com/aBc1234", "no address"),
        ("ftp://example.com/a.jpg", "ftp"),
        ("javascript:alert(1)", "javascript"),
        ("http:///a.jpg", "http"),
    ],
)
def test_a_link_that_is_none_comes_back_as_bad_url(url, detail):
    expected = Media(url if isinstance(url, str) else "", 0, "link", "not_image", "bad_url", detail=detail)
    assert resolve_url(url) == (expected,)


@pytest.mark.parametrize("url", ["http://[half/a.jpg", "http://host:port/a.jpg", "http://host:99999/a.jpg"])
def test_a_link_that_cannot_be_parsed_is_a_bad_url(url):
    assert shown(url) == [(url, "link", "not_image", "bad_url")]


def test_reddits_hint_decides_only_where_the_link_says_nothing():
    page = "https://example.com/photo/7"
    assert shown(page, hint="image") == [(page, "image", "pending", None)]
    assert shown(page, hint="rich:video") == [(page, "video", "not_image", "video")]
    assert shown(page, hint="link") == [(page, "link", "not_image", "external_page")]
    assert shown("https://youtu.be/abc", hint="image") == [
        ("https://youtu.be/abc", "video", "not_image", "video")
    ]


def test_unescaping_leaves_what_merely_looks_like_an_escape():
    assert unescape("?a=1&amp;copy=2&copy=3&lt;&amp;gt;") == "?a=1&copy=2&copy=3<&gt;"


PREVIEW = {"images": [{"source": {"url": "https://preview.redd.it/abc.jpg?auto=webp&amp;s=1f", "width": 9}}]}


def test_the_preview_stands_behind_a_single_image():
    post = {"url": "https://i.redd.it/abc.jpg", "preview": PREVIEW}
    preview = "https://preview.redd.it/abc.jpg?auto=webp&s=1f"
    assert resolve(post) == (Media("https://i.redd.it/abc.jpg", 0, "image", fallback_url=preview),)
    post["url"] = "http://imgur.com/aBc1234"
    assert resolve(post)[0].fallback_url == preview
    post["url"] = "http://imgur.com/aBc1234,dEf5678"
    assert [media.fallback_url for media in resolve(post)] == [None, None]
    post["url"] = "https://example.com/news"
    assert resolve(post)[0].fallback_url is None


def test_a_text_post_is_not_an_image_even_with_pictures_in_its_text():
    post = {
        "is_self": True,
        "permalink": "/r/happy/comments/abc/a_title/",
        "media_metadata": {"aa": {"status": "valid", "e": "Image", "m": "image/jpg"}},
    }
    permalink = "https://www.reddit.com/r/happy/comments/abc/a_title/"
    assert resolve(post) == (Media(permalink, 0, "text", "not_image", "text_post"),)
    assert resolve({"is_self": True, "url": permalink}) == resolve(post)
    assert resolve({"is_self": True, "url": None}) == (Media("", 0, "text", "not_image", "text_post"),)


def test_a_post_that_says_it_is_a_video_is_one():
    (media,) = resolve({"url": "https://example.com/7", "is_video": True})
    assert media.kind == "video"


GALLERY = "https://www.reddit.com/gallery/abc"


def item(kind="Image", mime="image/jpg", **source):
    return {"status": "valid", "e": kind, "m": mime, "s": source}


def test_a_gallery_keeps_its_order_and_says_what_is_lost():
    post = {
        "url": GALLERY,
        "is_gallery": True,
        "gallery_data": {
            "items": [
                {"media_id": "bb", "id": 2},
                {"media_id": "aa", "id": 1, "is_deleted": False},
                {"media_id": "gif"},
                {"media_id": "film"},
                {"media_id": "failed"},
                {"media_id": "waiting"},
                {"media_id": "absent"},
                {"media_id": "deleted", "is_deleted": True},
                {"media_id": "tiff"},
                {"media_id": "none"},
                "nonsense",
            ]
        },
        "media_metadata": {
            "aa": item(u="https://preview.redd.it/aa.jpg?width=9&amp;s=1"),
            "bb": item(mime="image/png", u="https://preview.redd.it/bb.png?s=2"),
            "gif": item(
                "AnimatedImage", "image/gif", gif="https://i.redd.it/gif.gif", mp4="https://x/gif.mp4"
            ),
            "film": {"status": "valid", "e": "RedditVideo", "hlsUrl": "https://v.redd.it/film/HLS?a=1"},
            "failed": {"status": "failed"},
            "waiting": {"status": "unprocessed"},
            "tiff": item(mime="image/tiff", u="https://preview.redd.it/tiff.png?s=3"),
            "none": item(mime="image/tiff"),
        },
    }
    assert resolve(post) == (
        Media("https://i.redd.it/bb.png", 0, "gallery", fallback_url="https://preview.redd.it/bb.png?s=2"),
        Media(
            "https://i.redd.it/aa.jpg",
            1,
            "gallery",
            fallback_url="https://preview.redd.it/aa.jpg?width=9&s=1",
        ),
        Media("https://i.redd.it/gif.gif", 2, "gallery"),
        Media("https://v.redd.it/film/HLS?a=1", 3, "video", "not_image", "video"),
        Media(GALLERY, 4, "gallery", "failed", "gallery_item_failed", detail="failed"),
        Media(GALLERY, 5, "gallery", "failed", "gallery_item_unprocessed", detail="waiting"),
        Media(GALLERY, 6, "gallery", "failed", "gallery_item_missing", detail="absent"),
        Media(GALLERY, 7, "gallery", "gone", "gallery_item_deleted", detail="deleted"),
        Media("https://preview.redd.it/tiff.png?s=3", 8, "gallery"),
        Media(GALLERY, 9, "gallery", "failed", "gallery_item_missing", detail="none"),
        Media(GALLERY, 10, "gallery", "failed", "gallery_item_missing"),
    )


def test_a_gallery_without_its_order_takes_that_of_the_metadata():
    post = {
        "url": GALLERY,
        "is_gallery": True,
        "gallery_data": None,
        "media_metadata": {"b": item(), "a": item()},
    }
    assert [media.url for media in resolve(post)] == ["https://i.redd.it/b.jpg", "https://i.redd.it/a.jpg"]


def test_a_gallery_without_items_is_one_failure():
    missing = (Media(GALLERY, 0, "gallery", "failed", "gallery_missing"),)
    assert resolve({"url": GALLERY, "is_gallery": True, "media_metadata": None}) == missing
    assert resolve({"url": GALLERY, "is_gallery": True, "gallery_data": {"items": []}}) == missing
    assert resolve_url(GALLERY) == missing


def test_a_crosspost_has_its_parents_media():
    child = {"url": "/r/pics/comments/abc/", "crosspost_parent_list": [{"url": "https://i.redd.it/abc.jpg"}]}
    assert resolve(child) == (Media("https://i.redd.it/abc.jpg", 0, "image"),)
    child["crosspost_parent_list"] = [{"url": GALLERY, "is_gallery": True, "media_metadata": {"a": item()}}]
    assert resolve(child) == (Media("https://i.redd.it/a.jpg", 0, "gallery"),)


@pytest.mark.parametrize("parents", [[], None, [None], ["abc"], {"0": {}}])
def test_a_crosspost_without_a_parent_follows_its_own_link(parents):
    post = {"url": "https://i.redd.it/abc.jpg", "crosspost_parent_list": parents}
    assert resolve(post) == (Media("https://i.redd.it/abc.jpg", 0, "image"),)


LINKS = [
    *IMAGES,
    *IMGUR_PAGES,
    *NOT_IMAGES,
    "http://[",
    "http://\ud800.com/a.jpg",
    "https://imgur.com/%ff/\udfff",
]
KEYS = [
    *("url", "url_overridden_by_dest", "is_self", "is_gallery", "is_video", "gallery_data", "media_metadata"),
    *("crosspost_parent_list", "preview", "images", "source", "post_hint", "permalink", "items", "media_id"),
    *("status", "e", "m", "s", "u", "gif", "hlsUrl", "is_deleted", "aa"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([*LINKS, "valid", "failed", "AnimatedImage", "RedditVideo", "image/jpg", "aa", "image"])
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=12,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(KEYS), ANY_JSON, max_size=10))
def test_any_json_resolves_to_media_numbered_from_zero(post):
    media = resolve(post)
    assert media
    assert [one.position for one in media] == list(range(len(media)))
    for one in media:
        one.url.encode()
        assert (one.status == "pending") == (one.reason is None)
        if one.status == "pending":
            assert one.url.startswith(("https://", "http://"))


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.characters(), max_size=60) | st.sampled_from(LINKS).flatmap(lambda a: st.text().map(a.__add__))
)
def test_any_text_resolves_as_a_link(url):
    assert resolve_url(url)


@pytest.mark.skipif(not INDEX.is_dir(), reason="the published Reddit index is not here (../shared/data)")
def test_every_link_of_the_published_index_is_an_image():
    posts, kinds, several = Counter(), Counter(), 0
    for file in sorted(INDEX.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                media = resolve_url(row["url"])
                posts[file.stem] += 1
                several += len(media) > 1
                kinds.update((one.kind, one.status, one.reason) for one in media)
    assert posts == {
        "processed_happy": 1124,
        "processed_gore": 830,
        "processed_creepy": 698,
        "processed_rage": 615,
    }
    # 3,267 posts, of which two are imgur pages of 2 and of 3 images
    assert several == 2
    assert kinds == {
        ("image", "pending", None): 2038,
        ("imgur_image", "pending", None): 859,
        ("imgur_album", "pending", None): 361,
        ("imgur_gallery", "pending", None): 12,
    }
