"""A release for the report's tests, made of the sandbox's posts without the build.

python tests/curation/release_fixture.py DIR [POSTS] [LEAKAGE] writes one, to look at its report.
"""

import hashlib
import io
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from collectors.sandbox.generated.corpus import Corpus
from collectors.sandbox.generated.pictures import render
from curation.release import columns

CLASSES = ["joy", "fear", "anger", "disgust"]
HOSTILE = [
    "<img src=x onerror=\"document.title='owned'\">",
    "</title></style></script><script>document.title='owned'</script>",
    '"><svg onload=alert(1)> \u202eright to left\u202c \x00\x07 &amp; ' + "W" * 300,
    "مرحبا بالعالم 🙂 日本語のタイトル",
]
DROPPED = pa.schema(
    [
        ("post_id", pa.string()),
        ("image_index", pa.int16()),
        ("community", pa.string()),
        ("label", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("title", pa.string()),
        ("permalink", pa.string()),
        ("score", pa.int64()),
        ("over_18", pa.bool_()),
        ("thumbnail", pa.binary()),
    ]
)


def make(folder, posts=240, leakage="group", seed=0, side=240, images=True):
    """Write a release into `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept, dropped = _rows(Corpus(seed, posts), side, images)
    _split(kept, leakage)
    files = []
    for split in ("train", "validation", "test"):
        rows = sorted((row for row in kept if row["_split"] == split), key=lambda row: row["post_id"])
        table = pa.Table.from_pylist(rows, schema=columns.schema(CLASSES))
        files.append(_write(folder, table, f"{split}-00000-of-00001", split))
    files.append(_write(folder, pa.Table.from_pylist(dropped, schema=DROPPED), "dropped", "dropped"))
    manifest = _manifest(folder, kept, dropped, files, leakage)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder


def _rows(corpus, side, images):
    kept, dropped = [], []
    for post in corpus.posts:
        identity = f"reddit:{post.id}"
        reason = None
        if post.removed:
            reason = ("removed", "removed_by_source", post.removed)
        elif not post.images:
            reason = ("image", "no_image", f"the post is a {post.form}")
        elif post.index % 9 == 4:
            reason = ("image", "image_gone", "302 to https://i.imgur.com/removed.png")
        elif post.index % 41 == 7:
            reason = ("size", "too_small", "61 x 40, below 64")
        title = HOSTILE[post.index] if post.index < len(HOSTILE) else post.title
        common = {
            "post_id": identity,
            "image_index": 0,
            "community": post.sub,
            "title": title,
            "score": post.ups,
            "over_18": post.over_18,
            "permalink": f"https://www.reddit.com/r/{post.sub}/comments/{post.id}/",
        }
        if reason and post.index >= len(HOSTILE):
            stage, why, detail = reason
            small = _jpeg(post, 64) if stage == "size" else None
            dropped.append(
                common
                | {"label": post.label, "stage": stage, "reason": why, "detail": detail, "thumbnail": small}
            )
            continue
        kept.append(common | _row(post, title, side, images))
    order = {"removed": 0, "image": 1, "size": 2}
    dropped.sort(key=lambda row: (order[row["stage"]], row["post_id"]))
    return kept, dropped


def _row(post, title, side, images):
    data = _image(post, side) if images else None
    words = len(title.split())
    # The hostile titles are the least English, so that the page shows them.
    english = (
        0.0 if post.index < len(HOSTILE) else 0.45 + 0.55 * min(words, 9) / 9 - 0.001 * (post.index % 50)
    )
    return {
        "image": {"bytes": data, "path": f"{post.id}.jpg"} if data else None,
        "text": title,
        "body": post.body,
        "label": CLASSES.index(post.label),
        "agreement": None,
        "votes": None,
        "language": ("en", "en", "en", "de", "fr", "en", "nl")[post.index % 7] if words < 4 else "en",
        "language_score": english,
        "n_words": words,
        "has_image": data is not None,
        "has_text": words > 0,
        "image_sha256": hashlib.sha256(data).hexdigest() if data else None,
        "image_hash": None,
        "duplicate_group": None,
        "source": "reddit",
        "licence": None,
        "attribution": f"u/{hashlib.md5((post.author or '').encode()).hexdigest()[:8]}",
        "created_at": int(post.created_utc),
        "_post": post,
    }


def _picture(post):
    return post.images[0] if post.images else None


def _image(post, side):
    picture = _picture(post)
    if picture is None:
        return None
    scale = side / 1000
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    return render(picture.key, picture.cue, size, picture.format, picture.quality)


def _jpeg(post, side):
    out = io.BytesIO()
    image = Image.open(io.BytesIO(_image(post, side))).convert("RGB")
    image.save(out, "JPEG")
    return out.getvalue()


def _split(kept, leakage):
    """Give each row its group, then its split: the top 10% of its class by score, the next 10%, the rest."""
    titles, keys = {}, {}
    for row in kept:
        post = row["_post"]
        first = keys.setdefault(_picture(post).key, row) if _picture(post) else row
        if first is row:
            first = titles.setdefault(row["text"].lower(), row)
        if first is not row:
            first["duplicate_group"] = first["duplicate_group"] or first["post_id"]
            row["duplicate_group"] = first["duplicate_group"]
    for label in range(len(CLASSES)):
        rows = sorted((r for r in kept if r["label"] == label), key=lambda r: (-r["score"], r["post_id"]))
        for place, row in enumerate(rows):
            tenth = 10 * place // len(rows)
            row["_split"] = "test" if tenth == 0 else "validation" if tenth == 1 else "train"
    if leakage == "group":
        for row in kept:
            if row["duplicate_group"]:
                row["_split"] = "train"


def _write(folder, table, stem, split):
    path = folder / "part.parquet"
    pq.write_table(table, path, row_group_size=100, compression="zstd")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    name = f"{stem}-{digest[:12]}.parquet"
    path.rename(folder / name)
    return {"path": name, "split": split, "rows": len(table), "bytes": len(data), "sha256": digest}


def _manifest(folder, kept, dropped, files, leakage):
    counts = {s: dict.fromkeys(CLASSES, 0) for s in ("train", "validation", "test")}
    for row in kept:
        counts[row["_split"]][CLASSES[row["label"]]] += 1
    reasons = Counter((row["stage"], row["reason"]) for row in dropped)
    sizes = Counter(row["duplicate_group"] for row in kept if row["duplicate_group"])
    training = {row["duplicate_group"] for row in kept if row["_split"] == "train"} - {None}
    return {
        "manifest_version": 1,
        "name": "reddit-emotion",
        "version": "1.0.0",
        "title": "Reddit emotion",
        "summary": "Image and title of Reddit posts in four emotions, after Duong et al. 2017.",
        "paper": "Duong, Lebret, Aberer 2017, section 4.1",
        "classes": CLASSES,
        "recipe": {
            "name": "reddit-emotion",
            "filters": [{"use": "removed"}, {"use": "image"}, {"use": "size", "min_side": 64}],
            "duplicates": {"images": "near", "distance": 3, "texts": "equal", "policy": "keep-all"},
            "split": {"rule": "top-score", "test": 0.1, "validation": 0.1, "leakage": leakage},
        },
        "recipe_digest": hashlib.sha256(b"recipe").hexdigest(),
        "input_digest": hashlib.sha256(b"input").hexdigest(),
        "files": files,
        "counts": counts,
        "ledger": {
            "unit": "posts",
            "collected": len(kept) + len(dropped),
            "steps": [{"stage": stage, "reason": why, "rows": n} for (stage, why), n in reasons.items()],
            "kept": len(kept),
        },
        "duplicates": {
            "groups": len(sizes),
            "rows": sizes.total(),
            "largest": max(sizes.values(), default=0),
        },
        "twins": {
            split: sum(r["_split"] == split and r["duplicate_group"] in training for r in kept)
            for split in ("validation", "test")
        },
        "leakage": leakage,
        "expected": {"joy": 1119, "fear": 697, "anger": 613, "disgust": 810},
        "notes": ["Generated posts of the sandbox: titles and pictures are made up."],
        "tools": {"affectory": "0.1.0", "pyarrow": pa.__version__, "numpy": np.__version__},
    }


if __name__ == "__main__":
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 240
    print(make(Path(sys.argv[1]), size, *sys.argv[3:4], side=1000))
