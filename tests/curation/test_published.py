"""What of a post a release holds: its images, links and texts, and the rows that were dropped."""

import hashlib
import io
from dataclasses import replace

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from affectory.cli import main
from collectors.store import Store
from tests.curation.stores import Picture, built, make_store, post, put_image, rows_of, split_of

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def test_every_dropped_post_is_written_with_its_reason(tmp_path):
    posts = [replace(p, removed="moderator") if i == 3 else p for i, p in enumerate(POSTS)]
    posts[5] = post(5, images=0)
    posts[7] = post(7, title="Hola amigos, estoy muy feliz con mi familia")
    filters = "".join(f'[[filters]]\nuse = "{f}"\n' for f in ("removed", "image", "language"))
    done = built(tmp_path, make_store(tmp_path / "store", posts), filters)
    steps = [(s.stage, s.reason, s.rows) for s in done.manifest.ledger.steps]
    assert steps == [
        ("removed", "removed_by_source", 1),
        ("image", "no_image", 1),
        ("language", "other_language", 1),
    ]
    dropped = pq.read_table(next(done.folder.glob("dropped-*.parquet"))).to_pylist()
    assert [(d["post_id"], d["reason"], d["detail"], d["title"] is None) for d in dropped[:2]] == [
        ("reddit:00003", "removed_by_source", "moderator", True),
        ("reddit:00005", "no_image", "none", False),
    ]
    assert done.manifest.ledger.collected == 60
    assert len(split_of(done.folder)) == 57


def test_ids_do_not_tell_the_title_by_their_links(tmp_path):
    link = "https://www.reddit.com/r/happy/comments/{}/this_is_the_title/"
    posts = [
        post(
            i,
            "happy" if i % 2 else "creepy",
            permalink=link.format(f"{i:05}") if i < 60 else "https://a.b/c/",
        )
        for i in range(61)
    ]
    store = make_store(tmp_path / "store", posts)
    folder = built(tmp_path, store).folder
    links = {prefix: {} for prefix in ("ids-", "t", "v")}
    for prefix, found in links.items():
        for path in folder.glob(f"{prefix}*.parquet"):
            found |= {row["post_id"]: row["permalink"] for row in pq.read_table(path).to_pylist()}
    assert links["ids-"]["reddit:00007"] == "https://www.reddit.com/comments/00007/"
    assert links["ids-"]["reddit:00060"] == "https://a.b/c/"
    assert (links["t"] | links["v"])["reddit:00007"] == link.format("00007")


def test_all_images_of_a_post_become_rows_of_one_split(tmp_path):
    posts = [post(i, "happy" if i % 2 else "creepy", images=1 + i % 3) for i in range(40)]
    done = built(tmp_path, make_store(tmp_path / "store", posts), '[images]\nwhich = "all"\n')
    assert done.manifest.ledger.unit == "images"
    assert done.manifest.ledger.kept == sum(1 + i % 3 for i in range(40))
    assert {len(splits) for splits in split_of(done.folder).values()} == {1}


@pytest.mark.slow
def test_jpegs_of_one_side_are_encoded_anew(tmp_path, store):
    done = built(tmp_path, store, '[images]\nformat = "jpeg"\nside = 48\n')
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(done.folder.parent), cache_dir=cache)["test"]
    assert {row["image"].size for row in loaded} == {(48, 32)}


@pytest.mark.slow
def test_an_image_encoded_anew_and_its_thumbnails_carry_no_comment(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    with Store.open(store) as opened:
        for one in POSTS:
            image = Image.open(io.BytesIO(Picture(int(one.post_id[7:])).bytes()))
            out = io.BytesIO()
            image.save(out, "JPEG", comment=b"taken at home")
            put_image(opened, one.media[0].url, out.getvalue())
    text = '[images]\nformat = "jpeg"\nside = 48\n[[filters]]\nuse = "score"\nmin = 950\n'
    folder = built(tmp_path, store, text).folder
    made = [r["image"]["bytes"] for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()]
    dropped = pq.read_table(next(folder.glob("dropped-*.parquet")))["thumbnail"].to_pylist()
    assert (len(made) > 30, len(dropped) > 5) == (True, True)
    assert [data for data in [*made, *dropped] if b"taken at home" in data] == []


@pytest.mark.slow
@pytest.mark.parametrize(("kept", "gone"), [("text", "images"), ("images", "text")])
def test_what_is_not_published_is_not_among_the_dropped_either(tmp_path, store, kept, gone):
    dearest = f'[[filters]]\nuse = "score"\nmin = 950\n[publish]\n{gone} = false\n'
    folder = built(tmp_path, store, dearest).folder
    dropped = pq.read_table(next(folder.glob("dropped-*.parquet"))).to_pylist()
    held = {"text": {d["title"] for d in dropped}, "images": {d["thumbnail"] for d in dropped}}
    assert held[gone] == {None}
    assert len(held[kept]) > 5
    if gone == "text":
        assert {d["permalink"] for d in dropped} == {None}


def png(number, comment):
    """A PNG with a comment, which is a file of its own for each number."""
    texts, out = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_text("Comment", comment, zip=True)
    Image.open(io.BytesIO(Picture(number).bytes())).save(out, "PNG", pnginfo=texts)
    return out.getvalue()


@pytest.mark.slow
def test_a_png_whose_text_is_too_large_for_pillow_is_published_without_it(tmp_path, capsys):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    pictures = {3: png(3, "y" * 3_000_000), 4: png(4, "a short one")}
    with Store.open(store) as opened:
        for number, one in enumerate(POSTS):
            data = pictures.get(number) or png(number, "")
            put_image(opened, one.media[0].url, data, mime="image/png")
    folder = built(tmp_path, store).folder
    rows = rows_of(folder)
    reduced, whole = (rows[f"reddit:{number:05}", 0] for number in pictures)
    assert (reduced["image"]["path"], whole["image"]["path"]) == (
        "reddit-00003-0-reduced.png",
        "reddit-00004-0.png",
    )
    assert (len(reduced["image"]["bytes"]) < len(pictures[3]), whole["image"]["bytes"]) == (True, pictures[4])
    assert [one["image_sha256"] for one in (reduced, whole)] == [
        hashlib.sha256(data).hexdigest() for data in pictures.values()
    ]
    loaded = datasets.load_dataset(str(folder.parent), cache_dir=str(tmp_path / "cache"))
    texts = {row["post_id"]: row["image"].info.get("Comment") for part in loaded.values() for row in part}
    assert (len(texts), texts["reddit:00003"], texts["reddit:00004"]) == (60, None, "a short one")
    assert (main(["verify", str(folder)]), capsys.readouterr().out.count("all right")) == (0, 1)
