"""From a post to the URLs of its images: pure rules, no network.

`resolve` takes a Reddit post (the `data` of an API answer, or a line of a dump), `resolve_url` a link. The
first rule that applies decides:

    a crosspost             its parent's media
    a gallery               its items in order, each as the original file
    a text post             one `text`, not fetched
    imgur                   see collectors/imgur/links.py
    an image file           by host, by file extension, or by Reddit's own hint
    a video                 one `video`, not fetched
    anything else           one `link`, not fetched

Both accept any JSON and never raise: an invalid link becomes a `bad_url`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from collectors.imgur.links import imgur_targets, is_imgur
from collectors.store.record import Media, MediaKind

# fmt: off
# Domains, with their subdomains, that support https even if an old link says http.
_SECURE = (
    "imgur.com", "imgur.io", "redd.it", "redditmedia.com", "reddituploads.com", "staticflickr.com",
    "twimg.com",
)
_VIDEO_DOMAINS = (
    "v.redd.it", "youtube.com", "youtu.be", "youtube-nocookie.com", "streamable.com", "gfycat.com",
    "redgifs.com", "vimeo.com", "dailymotion.com", "dai.ly", "liveleak.com", "twitch.tv", "tiktok.com",
    "vine.co", "vid.me",
)
# Hosts that serve only images, often without a file extension in the path:
# https://i.reddituploads.com/a3c1…?fit=max&h=1536&w=1536&s=2bb1…, https://drscdn.500px.org/photo/156…/m=2048/e1…
_IMAGE_HOSTS = frozenset({
    "i.redd.it", "preview.redd.it", "external-preview.redd.it", "i.redditmedia.com", "i.reddituploads.com",
    "pbs.twimg.com", "drscdn.500px.org", "ppcdn.500px.org",
})
# fmt: on
# "x.jpg", also as in "x.jpg:large" (Twitter), "x.jpg/revision/latest" (Fandom) and "x.jpg)"
_IMAGE_PATH = re.compile(
    r"\.(?:jpe?g|jpe|jfif|a?png|webp|gif|bmp|tiff?|avif)(?:/revision/latest.*|(?![a-z0-9])[^/.]*/?)$"
)
# Reddit's preview of a file that it has itself: "/ID.jpg", and with the post's title "/a-title-v0-ID.jpg".
_PREVIEW_PATH = re.compile(r"/(?:[^/]*-v0-)?([A-Za-z0-9]+\.(?:jpe?g|png|webp|gif))")
_VIDEO_PATH = re.compile(r"\.(?:mp4|webm|mov|gifv)(?![a-z0-9])[^/.]*/?$")
# "https://en.wikipedia.org/wiki/File:Cat.jpg" is a page about a file.
_FILE_PAGE = re.compile(r"/wiki/(?:file|image):")
_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]+")
_EXTENSIONS = {f"image/{extension}": extension for extension in ("jpg", "jpeg", "png", "webp", "gif")}
_WRAPPED = ("https://i.redd.it/", "https://preview.redd.it/", "https://external-preview.redd.it/")
_REDDIT = "https://www.reddit.com"


def resolve(post: Mapping[str, Any]) -> tuple[Media, ...]:
    """Return the media of a Reddit post, positions counting from 0; a crosspost's are its parent's."""
    parents = post.get("crosspost_parent_list")
    if isinstance(parents, list) and parents and isinstance(parents[0], Mapping):
        post = parents[0]  # the first post of a chain of crossposts
    if is_gallery(post):
        return _numbered(_gallery(post))
    url = _link_of(post)
    if post.get("is_self") is True:
        address = next((one for one in (post.get("permalink"), url) if isinstance(one, str)), "")
        return (_not_image(_absolute(clean_url(address)), "text", "text_post"),)
    hint = post.get("post_hint")
    if post.get("is_video") is True:
        hint = "hosted:video"
    return resolve_url(url, hint=hint, fallback_url=preview_url(post))


def resolve_url(url: Any, *, hint: Any = None, fallback_url: str | None = None) -> tuple[Media, ...]:
    """Return the media of a link.

    `hint` is Reddit's `post_hint`, which is used only if the link itself isn't clear. `fallback_url` is a
    second URL, which is kept if the link is that of exactly one image.
    """
    if not isinstance(url, str):
        return (_not_image("", "link", "bad_url", detail=type(url).__name__),)
    url = _absolute(clean_url(url))
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port  # "http://host:port/" raises only here
    except ValueError as error:  # "http://[half", "Invalid IPv6 URL"
        return (_not_image(url, "link", "bad_url", detail=str(error)),)
    if parts.scheme not in ("http", "https") or not host:
        return (_not_image(url, "link", "bad_url", detail=parts.scheme or "no address"),)
    media = _imgur(parts) if is_imgur(host) else _other(parts, host, url, hint)
    if len(media) == 1 and media[0].status == "pending" and fallback_url not in (None, media[0].url):
        media = [replace(media[0], fallback_url=fallback_url)]
    return _numbered(media)


def is_gallery(post: Mapping[str, Any]) -> bool:
    """Return whether a Reddit post is a gallery, even if its items are gone."""
    if post.get("is_gallery") is True or isinstance(post.get("gallery_data"), Mapping):
        return True
    link = _link_of(post)
    return isinstance(link, str) and "reddit.com/gallery/" in link and bool(post.get("media_metadata"))


def preview_url(post: Mapping[str, Any]) -> str | None:
    """Return the URL of Reddit's own copy of a post's image, if there is one."""
    # {"preview": {"images": [{"source": {"url": "https://preview.redd.it/….jpg?auto=webp&s=…"}}]}}
    found: Any = post.get("preview")
    for key in ("images", 0, "source", "url"):
        if isinstance(key, int):
            found = found[key] if isinstance(found, list) and len(found) > key else None
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return _web_address(found)


def clean_url(url: str) -> str:
    """Return a link without surrounding blanks and HTML escapes, as valid text."""
    return valid_text(unescape(url)).strip()


def unescape(text: str) -> str:
    """Replace the three escapes that Reddit writes without `raw_json=1`: `&amp;` `&lt;` `&gt;`.

    `html.unescape` would also replace the "&copy" of "?a=1&copy=2".
    """
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def valid_text(text: str) -> str:
    """Return text that UTF-8 and SQLite can hold: lone surrogates become U+FFFD, NULs are removed."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\0", "")


def _imgur(parts: SplitResult) -> list[Media]:
    targets = imgur_targets(parts.path)
    if not targets:
        return [_not_image(urlunsplit(parts), "link", "external_page")]
    return [
        _not_image(target.url, "video", "video")
        if target.kind == "video"
        else Media(target.url, 0, target.kind, detail=target.page)
        for target in targets
    ]


def _other(parts: SplitResult, host: str, url: str, hint: Any) -> list[Media]:
    path = parts.path.lower()
    query = parse_qs(parts.query, errors="replace")
    if host == "reddit.com" or host.endswith(".reddit.com"):
        wrapped = query.get("url", [""])[0]  # reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fabc.png
        if path == "/media" and wrapped.startswith(_WRAPPED):
            return [_image_of(wrapped)]
        if path.startswith("/gallery/"):  # the link doesn't say which images the gallery holds
            return [Media(url, 0, "gallery", status="failed", reason="gallery_missing")]
    if _is_under(host, _SECURE):
        parts = parts._replace(scheme="https", netloc=host)
    direct = urlunsplit(parts._replace(fragment=""))
    if _VIDEO_PATH.search(path) or query.get("format") == ["mp4"]:  # preview.redd.it/abc.gif?format=mp4
        return [_not_image(url, "video", "video")]
    # The extension may be in the query: "files.php?file=a_picture.jpg".
    named = _IMAGE_PATH.search(path) or _IMAGE_PATH.search(parts.query.lower())
    if host in _IMAGE_HOSTS or (named and not _FILE_PAGE.search(path)):
        return [_image_of(direct)]
    if _is_under(host, _VIDEO_DOMAINS):
        return [_not_image(url, "video", "video")]
    if hint == "image":
        return [Media(direct, 0, "image")]
    if hint in ("hosted:video", "rich:video"):
        return [_not_image(url, "video", "video")]
    return [_not_image(url, "link", "external_page")]


def _image_of(url: str) -> Media:
    """Return the image of a direct link; of a preview by Reddit, the original first."""
    try:
        parts = urlsplit(url)
    except ValueError:  # what reddit.com/media links to may be anything
        return _not_image(url, "link", "bad_url")
    preview = _PREVIEW_PATH.fullmatch(parts.path) if parts.netloc == "preview.redd.it" else None
    if preview is None:
        return Media(url, 0, "image")
    return Media(f"https://i.redd.it/{preview[1]}", 0, "image", fallback_url=url)


def _gallery(post: Mapping[str, Any]) -> list[Media]:
    link = _link_of(post)
    page = _absolute(clean_url(link)) if isinstance(link, str) else ""
    metadata = post.get("media_metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    # {"gallery_data": {"items": [{"media_id": "l4qy0l5ppzug1", "id": 911209142, "is_deleted": false}]}}
    data = post.get("gallery_data")
    items = data.get("items") if isinstance(data, Mapping) else None
    if not isinstance(items, list):
        items = [{"media_id": media_id} for media_id in metadata]
    if not items:
        return [Media(page, 0, "gallery", status="failed", reason="gallery_missing")]
    return [_gallery_item(item if isinstance(item, Mapping) else {}, metadata, page) for item in items]


def _gallery_item(item: Mapping[str, Any], metadata: Mapping[str, Any], page: str) -> Media:
    """Return one item of a gallery, with the gallery's `page` as its URL if it has none."""
    # {"status": "valid", "e": "Image", "m": "image/jpg", "s": {"u": "https://preview.redd.it/l4qy….jpg?…"}}
    media_id = item.get("media_id")
    if not isinstance(media_id, str) or not _MEDIA_ID.fullmatch(media_id):
        return Media(page, 0, "gallery", status="failed", reason="gallery_item_missing")
    if item.get("is_deleted"):
        return Media(page, 0, "gallery", status="gone", reason="gallery_item_deleted", detail=media_id)
    meta = metadata.get(media_id)
    if not isinstance(meta, Mapping):
        return Media(page, 0, "gallery", status="failed", reason="gallery_item_missing", detail=media_id)
    status = meta.get("status")
    if status != "valid":
        reason = "gallery_item_unprocessed" if status == "unprocessed" else "gallery_item_failed"
        return Media(page, 0, "gallery", status="failed", reason=reason, detail=media_id)
    if meta.get("e") == "RedditVideo":  # {"e": "RedditVideo", "hlsUrl": "https://v.redd.it/…", "dashUrl": …}
        return _not_image(_web_address(meta.get("hlsUrl")) or page, "video", "video")
    source = meta.get("s")
    source = source if isinstance(source, Mapping) else {}
    preview, mime = _web_address(source.get("u")), meta.get("m")
    extension = _EXTENSIONS.get(mime) if isinstance(mime, str) else None
    original = f"https://i.redd.it/{media_id}.{extension}" if extension else None
    if meta.get("e") == "AnimatedImage":
        original = _web_address(source.get("gif")) or original
    if original:
        return Media(original, 0, "gallery", fallback_url=preview)
    if preview:  # an unknown file type: only Reddit's copy has a URL
        return Media(preview, 0, "gallery")
    return Media(page, 0, "gallery", status="failed", reason="gallery_item_missing", detail=media_id)


def _link_of(post: Mapping[str, Any]) -> Any:
    return post.get("url_overridden_by_dest") or post.get("url")


def _absolute(url: str) -> str:
    if url.startswith("//"):
        return "https:" + url
    return _REDDIT + url if url.startswith("/") else url  # a crosspost's own url is "/r/pics/comments/…"


def _web_address(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    url = clean_url(value)
    return url if url.startswith(("http://", "https://")) else None


def _is_under(host: str, domains: Sequence[str]) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def _not_image(url: str, kind: MediaKind, reason: str, detail: str | None = None) -> Media:
    return Media(url, 0, kind, status="not_image", reason=reason, detail=detail)


def _numbered(media: Sequence[Media]) -> tuple[Media, ...]:
    return tuple(replace(one, position=position) for position, one in enumerate(media))
