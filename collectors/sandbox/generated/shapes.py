"""The form of a post, its time, ids, addresses and pictures.

The proportions and the dates follow Reddit's history: i.redd.it began in 2016, v.redd.it in 2017, galleries
in 2020. imgur's ids have seven characters instead of five since 2013, and its gallery addresses have words
since 2023 (https://imgur.com/gallery/my-dog-today-x05uPhi).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Mapping
from random import Random

from collectors.sandbox.generated import stable
from collectors.sandbox.generated.posts import EXTENSION, Form, Format, ImageCue, Picture, SandboxPost

FORMS: Mapping[Form, float] = {
    "reddit_image": 0.45,
    "imgur_direct": 0.15,
    "imgur_page": 0.12,
    "imgur_album": 0.06,
    "gallery": 0.10,
    "crosspost": 0.03,
    "video": 0.04,
    "text": 0.03,
    "link": 0.02,
}

#: (Unix time, post id) of real posts: an id is a counter in base 36, so it grows with time.
ID_ANCHORS = (
    (1_325_376_000, int("nxc00", 36)),
    (1_344_085_673, int("xo3sh", 36)),
    (1_447_575_277, int("3svmej", 36)),
    (1_475_670_404, int("55z76r", 36)),
    (1_560_900_000, int("c27k7n", 36)),
    (1_629_990_471, int("pc1e96", 36)),
    (1_776_102_889, int("1skii2f", 36)),
)
FIRST, LAST = 1_325_376_000, 1_735_689_600  # 2012-01-01 to 2025-01-01
BEGAN: Mapping[Form, int] = {  # when a form came into use
    "reddit_image": 1_466_000_000,
    "gallery": 1_596_000_000,
    "crosspost": 1_511_000_000,
    "video": 1_502_000_000,
}

SIZES = ((480, 360), (360, 480), (480, 360), (512, 384), (400, 400), (500, 281), (360, 450))
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def form_of(rng: Random) -> Form:
    """Draw a form at random, with the probabilities of `FORMS`."""
    return rng.choices(list(FORMS), weights=list(FORMS.values()))[0]


def created_at(form: Form, rng: Random) -> int:
    """Draw a time at which this form existed."""
    return rng.randrange(BEGAN.get(form, FIRST), LAST)


def base36(value: int) -> str:
    """Write a number as Reddit writes ids: 229063051 is "3sdn4b"."""
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"


def post_id(created: int, rng: Random, taken: Container[str]) -> str:
    """Return an id of the right age that is not taken."""
    (t0, n0), (t1, n1) = next((a, b) for a, b in itertools.pairwise(ID_ANCHORS) if created < b[0])
    value = n0 + (n1 - n0) * (created - t0) // (t1 - t0) + rng.randrange(30)
    while base36(value) in taken:
        value += 1
    return base36(value)


def slug(title: str) -> str:
    """Return the words of a permalink, "tldr_im_dumb_when_scary_things_happen_to"."""
    text = re.sub(r"[^a-z0-9]+", "_", title.lower().replace("'", "")).strip("_")
    return (text if len(text) <= 50 else text[:50].rpartition("_")[0]) or "_"


def pictures_of(
    form: Form, cue: ImageCue, created: int, rng: Random, name: tuple[int, int]
) -> tuple[Picture, ...]:
    """Return the pictures of a post; those of an album or a gallery look alike."""
    count = {"text": 0, "imgur_album": rng.randint(2, 4), "gallery": rng.randint(2, 4)}.get(form, 1)
    if form == "crosspost":
        count = 2
    return tuple(_picture(form, cue, created, rng, (*name, position)) for position in range(count))


def _picture(form: Form, cue: ImageCue, created: int, rng: Random, name: tuple[int, int, int]) -> Picture:
    on_imgur = form.startswith("imgur")
    length = 5 if created < 1_360_000_000 else 7
    identity = stable.word(_ALNUM, length, "imgur", *name) if on_imgur else reddit_media_id(*name)
    fate = rng.random()
    image_format: Format = "gif" if fate < 0.03 else "png" if fate < 0.11 else "jpeg"
    width, height = rng.choice(SIZES)
    if image_format == "gif":
        width, height = width // 2, height // 2
    later_item = form == "gallery" and name[2] > 0  # the first item of a gallery never fails
    failed, deleted = later_item and rng.random() < 0.08, later_item and rng.random() < 0.05
    return Picture(
        id=identity,
        key="/".join(map(str, name)),
        cue=cue,
        width=width,
        height=height,
        format=image_format,
        quality=rng.choice((75, 80, 82, 85)),
        status="failed" if failed else "valid",
        is_deleted=deleted,
    )


def reddit_media_id(*name: object) -> str:
    """Return a name as i.redd.it's files have, "rrinwcmrxzug1"."""
    return stable.word(_BASE36[10:] + _BASE36[:10], 13, "redd.it", *name)


def album_id(post: SandboxPost, rng: Random) -> str | None:
    """Return the id of the imgur album of a post that has one."""
    if post.form != "imgur_album":
        return None
    return stable.word(
        _ALNUM, 5 if post.created_utc < 1_500_000_000 else 7, "album", post.index, rng.random()
    )


def url_of(post: SandboxPost, rng: Random) -> str:
    """Return the address that the post links to, as its author pasted it."""
    scheme = "http" if post.created_utc < 1_470_000_000 and rng.random() < 0.8 else "https"
    first = post.pictures[0] if post.pictures else None
    if post.form == "text" or first is None:
        return f"https://www.reddit.com{permalink(post)}"
    if post.form == "reddit_image":
        long_name = first.format == "jpeg" and post.created_utc > 1_680_000_000 and rng.random() < 0.4
        return f"https://i.redd.it/{first.id}.{'jpeg' if long_name else EXTENSION[first.format]}"
    if post.form == "imgur_direct":
        # A .gifv is a page around a GIF; people added "?1" to avoid a cache.
        extension = "gifv" if first.format == "gif" else EXTENSION[first.format]
        return f"{scheme}://i.imgur.com/{first.id}.{extension}{'?1' if rng.random() < 0.04 else ''}"
    if post.form in ("imgur_page", "imgur_album"):
        name, folder = (first.id, "") if post.album is None else (post.album, "a/")
        if rng.random() < 0.12:
            worded = post.created_utc > 1_685_000_000
            words = slug(post.title).replace("_", "-").strip("-") + "-" if worded else ""
            folder, name = "gallery/", words + name
        return f"{scheme}://imgur.com/{folder}{name}"
    if post.form == "gallery":
        return f"https://www.reddit.com/gallery/{post.id}"
    if post.form == "video":
        return f"https://v.redd.it/{first.id}"
    return f"https://daily-feed.example/{post.created_utc // 86_400}/{slug(post.title)}"


def permalink(post: SandboxPost) -> str:
    """Return the post's own path on Reddit."""
    return f"/r/{post.sub}/comments/{post.id}/{slug(post.title)}/"
