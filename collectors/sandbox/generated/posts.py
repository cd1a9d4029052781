"""The data of a generated post and of a generated picture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from collectors.sandbox.generated import stable

Emotion = Literal["joy", "fear", "anger", "disgust"]
ImageCue = Literal["joy", "fear", "anger", "disgust", "dark"]
TitleCue = Literal["joy", "fear", "anger", "disgust", "vile", "neutral"]
Format = Literal["jpeg", "png", "gif", "webp"]
Form = Literal[
    "reddit_image",
    "imgur_direct",
    "imgur_page",
    "imgur_album",
    "gallery",
    "crosspost",
    "video",
    "text",
    "link",
]

EMOTIONS: tuple[Emotion, ...] = ("joy", "fear", "anger", "disgust")
SUBS: dict[str, Emotion] = {"happy": "joy", "creepy": "fear", "rage": "anger", "gore": "disgust"}

#: The forms of posts whose pictures are to be collected.
IMAGE_FORMS: tuple[Form, ...] = (
    "reddit_image",
    "imgur_direct",
    "imgur_page",
    "imgur_album",
    "gallery",
    "crosspost",
)

MIME: dict[Format, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}
EXTENSION: dict[Format, str] = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp"}

_URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture. `id` is its name on its host, and `key` decides what is drawn.

    An exact repost has a new id and the same key, format, size and quality, hence the same bytes.
    """

    id: str
    key: str
    cue: ImageCue
    width: int
    height: int
    format: Format = "jpeg"
    quality: int = 82
    status: Literal["valid", "failed"] = "valid"
    is_deleted: bool = False

    @property
    def preview_token(self) -> str:
        """Its name on external-preview.redd.it."""
        return stable.word(_URL_SAFE, 43, "preview", self.id)

    def reposted_as(self, other: Picture, *, near: bool) -> Picture:
        """Return this picture under `other`'s id; `near`: scaled down and compressed again."""
        if not near:
            return dataclasses.replace(self, id=other.id)
        width, height = round(self.width * 0.8), round(self.height * 0.8)
        return dataclasses.replace(self, id=other.id, width=width, height=height, format="jpeg", quality=68)


@dataclass(frozen=True, slots=True)
class SandboxPost:
    """A post, with the values that it was generated from, which the sources don't publish.

    `author` is None for a deleted account. `removed` is Reddit's value for who removed it ("deleted",
    "moderator"). `repost` is how this post copies `repost_of`: "image" and "title" exactly, "image_near" and
    "title_near" with small changes.
    """

    index: int
    id: str
    sub: str
    emotion: Emotion
    image_cue: ImageCue
    title_cue: TitleCue
    title: str
    body: str
    author: str | None
    created_utc: int
    ups: int
    upvote_ratio: float
    num_comments: int
    form: Form
    url: str
    pictures: tuple[Picture, ...]
    album: str | None = None
    removed: str | None = None
    parent: SandboxPost | None = None
    repost_of: str | None = None
    repost: str | None = None

    @property
    def label(self) -> Emotion:
        """The class of its subreddit."""
        return self.emotion

    @property
    def over_18(self) -> bool:
        """Whether Reddit marks it as over 18: all posts of r/gore, and those that they crosspost."""
        return self.emotion == "disgust"

    @property
    def images(self) -> tuple[Picture, ...]:
        """The pictures a collector should end up with, if nothing fails."""
        if self.form not in IMAGE_FORMS:
            return ()
        return tuple(p for p in self.pictures if p.status == "valid" and not p.is_deleted)

    def replace(self, **changes: Any) -> SandboxPost:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)
