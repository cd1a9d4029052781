"""Small crawl stores to build from."""

import hashlib
import io
from dataclasses import dataclass

import pyarrow.parquet as pq
from PIL import Image

from collectors.store import Store
from collectors.store.record import Media, Outcome, Post
from curation.release.assemble import build

LABELS = {"happy": "joy", "creepy": "fear"}

RECIPE = """\
name = "{name}"
title = "Test"
summary = "A test."
[labels]
happy = "joy"
creepy = "fear"
"""


@dataclass
class Picture:
    """A picture drawn from a number: pictures of near numbers are near to each other."""

    seed: int
    size: tuple[int, int] = (96, 64)

    def bytes(self):
        digest = hashlib.sha256(str(self.seed).encode()).digest()
        image = Image.frombytes("L", (8, 4), digest).resize(self.size, Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=90)
        return out.getvalue()


def post(number, community="happy", *, title=None, images=1, **more):
    media = tuple(
        Media(url=f"https://i.redd.it/{number}-{i}.jpg", position=i, kind="image") for i in range(images)
    )
    return Post(
        **{
            "post_id": f"reddit:{number:05}",
            "source": "reddit",
            "community": community,
            "title": f"this is the title of number {number}" if title is None else title,
            "score": 1000 - number,
            "created_at": 1_400_000_000 + number,
            "permalink": f"https://www.reddit.com/comments/{number:05}/",
            "over_18": False,
            "media": media,
            "collected_at": 1_700_000_000,
        }
        | more
    )


def put_image(store, url, data, *, size=(96, 64), frames=1, mime="image/jpeg"):
    digest = hashlib.sha256(data).hexdigest()
    path = store.media_path(digest, mime)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    store.settle(
        url,
        Outcome(
            "stored",
            sha256=digest,
            mime=mime,
            width=size[0],
            height=size[1],
            frames=frames,
            bytes=len(data),
        ),
    )
    return digest


def make_store(folder, posts, *, pictures=True):
    """Write posts and a distinct picture for each of their images."""
    with Store.open(folder) as store:
        store.add(posts)
        if pictures:
            for one in posts:
                for medium in one.media:
                    if medium.status == "pending":
                        put_image(
                            store, medium.url, Picture(int(one.post_id[7:]) * 100 + medium.position).bytes()
                        )
    return folder


def write_recipe(folder, text="", name="test"):
    """Write a recipe; return its path."""
    path = folder / name / "recipe.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.format(name=name) + text)
    return path


def rows_of(folder, prefix=""):
    """Return a release's rows by post id and image, each with its split."""
    found = {}
    for split in ("train", "validation", "test"):
        for path in folder.glob(f"{prefix}{split}-*.parquet"):
            for row in pq.read_table(path).to_pylist():
                found[row["post_id"], row["image_index"]] = row | {"split": split}
    return found


def dropped_rows(folder):
    return pq.read_table(next(folder.glob("dropped-*.parquet"))).to_pylist()


def dropped_of(folder):
    rows = dropped_rows(folder)
    return [(r["post_id"], r["stage"], r["reason"], r["detail"], r["title"]) for r in rows]


def contents(folder):
    """Digest every file of a dataset's folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def built(tmp_path, store, text="", **options):
    """Build a release of a store by the test's recipe and some more of it."""
    return build(write_recipe(tmp_path / "recipes", text), store=store, out=tmp_path / "out", **options)


def split_of(folder):
    """Return the splits of each post of a release."""
    found = {}
    for name in ("train", "validation", "test"):
        for path in sorted(folder.glob(f"{name}-*.parquet")):
            for post_id in pq.read_table(path, columns=["post_id"])["post_id"].to_pylist():
                found.setdefault(post_id, set()).add(name)
    return found
