"""Small releases on disk, with the card by which `load_dataset` finds their files."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.release import columns
from tests.curation import release_fixture

#: What a row has where a test doesn't say.
ROW = {
    "image_index": 0,
    "source": "reddit",
    "over_18": False,
    "score": 1,
    "permalink": "https://example.org/",
}


def card(folder):
    """Write the card of the versions that stand in `folder`, the newest the default."""
    lines = ["---", "configs:"]
    for number, version in enumerate(
        sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True)
    ):
        lines += [f'- config_name: "{version.name}"', *(["  default: true"] if number == 0 else [])]
        lines += ["  data_files:"]
        for path in sorted(version.glob("t*.parquet")) + sorted(version.glob("validation-*.parquet")):
            split = path.name.partition("-")[0]
            lines += [f"  - split: {split}", "    path:", f'    - "{version.name}/{path.name}"']
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return folder


def sandbox(datasets, posts=200):
    """Write `reddit-emotion` 1.0.0 of the sandbox's posts, images of 48 pixels, hostile titles too."""
    folder = datasets / "reddit-emotion"
    release_fixture.make(folder / "1.0.0", posts, side=48)
    return card(folder)


def release(folder, splits, classes=("joy", "fear"), version="1.0.0", several=()):
    """Write a release of these rows: split -> rows of at least `post_id`.

    `label` is the number of a row's class; with `several`, the names of a release of several labels,
    `labels` are a row's numbers. Without its own a row is unlabelled.
    """
    (folder / version).mkdir(parents=True)
    schema = columns.schema(classes, several)
    for split, rows in splits.items():
        whole = [
            ROW
            | {"text": None, "has_image": row.get("image") is not None, "has_text": bool(row.get("text"))}
            | row
            for row in rows
        ]
        table = pa.Table.from_pylist(whole, schema=schema)
        pq.write_table(table, out := io.BytesIO())
        digest = hashlib.sha256(out.getvalue()).hexdigest()[:12]
        (folder / version / f"{split}-00000-of-00001-{digest}.parquet").write_bytes(out.getvalue())
    return card(folder)


#: A word and a colour for each class or label of `learnable`.
CUES = {"joy": ("sunny", (230, 200, 40)), "fear": ("dark", (20, 20, 40)), "anger": ("red", (220, 20, 20))}


def learnable(folder, several=False, sizes=(36, 15, 15), unlabelled=6):
    """Write a release in which a word and the image's colour tell the class, or each of several labels.

    Every sixth post has no image, every seventh no text. The last `unlabelled` training posts have no label.
    """
    names, number = tuple(CUES), 0
    splits = {}
    for split, size in zip(("train", "validation", "test"), sizes, strict=True):
        splits[split] = []
        for row in range(size):
            held = [row % 3, *([(row + 1) % 3] if several and row % 2 else [])]
            words, colours = zip(*(CUES[names[one]] for one in held), strict=True)
            colour = tuple(sum(parts) // len(parts) + row % 5 for parts in zip(*colours, strict=True))
            post = {"post_id": f"reddit:{split}{row}", "image_sha256": f"{number:064x}"}
            if row % 6 != 4:
                post["image"] = png(*colour)
            if row % 7 != 3:
                post["text"] = f"a {' and '.join(words)} day number {row}"
            if split != "train" or row < size - unlabelled:
                post |= {"labels": held} if several else {"label": held[0]}
            splits[split].append(post)
            number += 1
    return release(folder, splits, names, several=names if several else ())


def png(*colour):
    """An image of one colour, as `image` wants it."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": None}
