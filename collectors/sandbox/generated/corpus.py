"""The sandbox's posts, with author, time, text, pictures and emotion.

    corpus = Corpus(seed=0, posts=600)
    corpus.listing("happy")          # posts, newest last
    corpus.by_id["3svmej"]           # one post
    corpus.pictures["x05uPhi"]       # one picture, by the id in its address

Every post has an emotion (that of its subreddit) and two cues: what its picture looks like and what its title
says. A cue is usually that of the emotion, now and then that of another one, and sometimes ambiguous: "dark"
pictures may be fear or disgust, "vile" titles anger or disgust. Image or text alone is not enough to tell the
emotion, both together nearly are, so a model that fuses them should win, as in the papers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random

from collectors.sandbox.generated import stable, words
from collectors.sandbox.generated.posts import (
    EMOTIONS,
    IMAGE_FORMS,
    SUBS,
    Emotion,
    Form,
    ImageCue,
    Picture,
    SandboxPost,
    TitleCue,
)
from collectors.sandbox.generated.shapes import album_id, created_at, form_of, pictures_of, post_id, url_of

#: Posts by emotion in Duong et al. (2017): 3,239 in all.
CLASS_SIZES: dict[Emotion, int] = {"joy": 1119, "fear": 697, "anger": 613, "disgust": 810}

#: Lowest and highest score, and the tail's exponent, after the published index.
SCORES: dict[Emotion, tuple[int, int, float]] = {
    "joy": (100, 5600, 0.9),
    "fear": (2200, 7700, 1.6),
    "anger": (100, 6200, 0.7),
    "disgust": (160, 1000, 1.1),
}

PARENT_SUBS = ("pics", "interestingasfuck", "aww", "WTF", "mildlyinteresting")


class Corpus:
    """A fixed set of posts: the same `seed` and `posts` give the same corpus."""

    def __init__(self, seed: int = 0, posts: int = 600) -> None:
        self.seed = seed
        self.posts: list[SandboxPost] = []
        self.by_id: dict[str, SandboxPost] = {}
        self.pictures: dict[str, Picture] = {}
        self.previews: dict[str, Picture] = {}
        self.albums: dict[str, SandboxPost] = {}
        self._by_sub: dict[str, list[SandboxPost]] = {name: [] for name in SUBS}
        self._ids: set[str] = set()
        self._authors = [
            words.author_name(stable.stream("author", seed, k)) for k in range(max(8, posts // 2))
        ]
        for index, emotion in enumerate(_emotions(seed, posts)):
            self._add(self._make(index, emotion))
        for listed in self._by_sub.values():
            listed.sort(key=lambda post: (post.created_utc, post.id))
        #: The corpus' own "now": `t=year` counts back from here.
        self.now = max((post.created_utc for post in self.posts), default=1_735_689_600) + 3600

    def __len__(self) -> int:
        return len(self.posts)

    def post(self, index: int) -> SandboxPost:
        """Return the post with this number."""
        return self.posts[index]

    def listing(self, sub: str) -> Sequence[SandboxPost] | None:
        """Return the posts of a subreddit by time, or None if it doesn't exist; case is ignored."""
        return self._by_sub.get(sub.lower())

    def digest(self) -> str:
        """Return a hash over everything in the corpus."""
        return hashlib.sha256("\n".join(map(repr, self.posts)).encode()).hexdigest()

    def _add(self, post: SandboxPost) -> None:
        self.posts.append(post)
        self._by_sub[post.sub].append(post)
        for one in (post, post.parent):
            if one is None:
                continue
            self.by_id[one.id] = one
            if one.album is not None:
                self.albums[one.album] = one
            for picture in one.pictures:
                self.pictures[picture.id] = picture
                self.previews[picture.preview_token] = picture

    def _make(self, index: int, emotion: Emotion) -> SandboxPost:
        rng = stable.stream("post", self.seed, index)
        form = form_of(rng)
        created = created_at(form, rng)
        earlier = self._by_sub[SUB_OF[emotion]]
        if earlier and rng.random() < 0.005:
            # Two posts in the same second: with an exclusive `after`, the next page can miss one.
            created = max(created, rng.choice(earlier).created_utc)
        image_cue, title_cue = _cues(emotion, rng)
        title = words.title(title_cue, rng)
        identity = self._new_id(created, rng)
        pictures = pictures_of(form, image_cue, created, rng, (self.seed, index))
        repost_of, repost = None, None
        if earlier and rng.random() < 0.05:
            original = rng.choice(earlier)
            repost_of, repost = original.id, rng.choice(("image", "image_near", "title", "title_near"))
            if repost.startswith("image"):
                if original.images and form in IMAGE_FORMS:
                    image_cue = original.image_cue
                    first = original.images[0].reposted_as(pictures[0], near=repost == "image_near")
                    pictures = (first, *pictures[1:])
                else:
                    repost_of, repost = None, None
            else:
                title_cue = original.title_cue
                title = original.title if repost == "title" else _almost(original.title, rng)
        return self._finish(
            SandboxPost(
                index=index,
                id=identity,
                sub=SUB_OF[emotion],
                emotion=emotion,
                image_cue=image_cue,
                title_cue=title_cue,
                title=title,
                body=words.body(rng) if form == "text" else "",
                author=self._author(rng),
                created_utc=created,
                ups=_score(emotion, rng),
                upvote_ratio=round(rng.uniform(0.71, 0.99), 2),
                num_comments=0,
                form=form,
                url="",
                pictures=pictures,
                repost_of=repost_of,
                repost=repost,
            ),
            rng,
        )

    def _finish(self, post: SandboxPost, rng: Random) -> SandboxPost:
        """Add what depends on the rest of the post: album, address, parent, removal."""
        comments = int(post.ups**0.7 * rng.uniform(0.2, 2.5))
        post = post.replace(num_comments=comments, album=album_id(post, rng))
        fate = rng.random()
        if post.form == "crosspost":
            parent_form: Form = rng.choice(("reddit_image", "gallery"))
            parent_age = rng.randrange(600, 86_400)
            parent = post.replace(
                id=self._new_id(post.created_utc - parent_age, rng),
                sub=rng.choice(PARENT_SUBS),
                author=self._author(rng),
                created_utc=post.created_utc - parent_age,
                ups=post.ups * rng.randint(2, 6),
                form=parent_form,
                pictures=post.pictures[: 2 if parent_form == "gallery" else 1],
            )
            parent = parent.replace(url=url_of(parent, rng))
            # The pictures belong to the parent; a crosspost of a gallery doesn't list them.
            return post.replace(parent=parent, url=parent.url, pictures=parent.pictures)
        removed = "deleted" if fate < 0.013 else "moderator" if fate < 0.025 else None
        return post.replace(url=url_of(post, rng), removed=removed)

    def _new_id(self, created: int, rng: Random) -> str:
        identity = post_id(created, rng, self._ids)
        self._ids.add(identity)
        return identity

    def _author(self, rng: Random) -> str | None:
        """Pick an author: a few write many posts, most write one; None is a deleted account."""
        if rng.random() < 0.04:
            return None
        return self._authors[int(len(self._authors) * rng.random() ** 2)]


SUB_OF: dict[Emotion, str] = {emotion: sub for sub, emotion in SUBS.items()}


def _emotions(seed: int, posts: int) -> list[Emotion]:
    """Return the class of each post: in the paper's proportions (largest remainders), shuffled."""
    total = sum(CLASS_SIZES.values())
    shares = {name: posts * size / total for name, size in CLASS_SIZES.items()}
    counts = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: shares[name] - counts[name], reverse=True)
    for name in by_remainder[: posts - sum(counts.values())]:
        counts[name] += 1
    emotions = [name for name in EMOTIONS for _ in range(counts[name])]
    stable.stream("emotions", seed).shuffle(emotions)
    return emotions


def _cues(emotion: Emotion, rng: Random) -> tuple[ImageCue, TitleCue]:
    """Draw what the picture looks like and what the title says, independently of each other."""
    look: ImageCue = emotion
    say: TitleCue = emotion
    fate = rng.random()
    if fate < 0.07:
        look = rng.choice([name for name in EMOTIONS if name != emotion])
    elif fate < 0.53 and emotion in ("fear", "disgust"):
        look = "dark"
    fate = rng.random()
    if fate < 0.07:
        say = rng.choice([name for name in EMOTIONS if name != emotion])
    elif fate < 0.14:
        say = "neutral"
    elif fate < 0.72 and emotion in ("anger", "disgust"):
        say = "vile"
    return look, say


def _score(emotion: Emotion, rng: Random) -> int:
    """Draw from a Pareto distribution bounded to the subreddit's range."""
    low, high, tail = SCORES[emotion]
    depth: float = (1 - rng.random() * (1 - (low / high) ** tail)) ** (1 / tail)
    return round(low / depth)


def _almost(title: str, rng: Random) -> str:
    """Return a title with a small change, as reposts have it."""
    return rng.choice((title.lower() + "..", f"{title} [repost]", f"{title}!!", f"{title} (fixed)"))
