"""What a release was built of: the digest that it carries is that of its rows, and of no others."""

import hashlib

from collectors.record import Outcome
from collectors.store import Store
from tests.curation.stores import built, make_store, post

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
TEXT_ONLY = '[images]\nwhich = "none"\n'


def fixed_store(folder):
    """Write a store whose rows are the same with every version of every library."""
    others = [post(i, "aww", post_id=f"reddit:{i:05}b") for i in (7, 31)]
    make_store(folder, [*POSTS, *others], pictures=False)
    with Store.open(folder) as store:
        for i in range(0, 60, 3):
            data = f"image {i}".encode()
            store.settle(
                f"https://i.redd.it/{i}-0.jpg",
                Outcome(
                    "stored",
                    sha256=hashlib.sha256(data).hexdigest(),
                    mime="image/png",
                    width=640,
                    height=480,
                    frames=1,
                    bytes=len(data),
                ),
            )
    return folder


def test_the_digest_of_an_undamaged_store_is_the_one_that_earlier_programs_wrote(tmp_path, monkeypatch):
    store = fixed_store(tmp_path / "store")
    assert built(tmp_path, store, TEXT_ONLY).manifest.input_digest == (
        "decc7324d9c0de4636521a473632a1f411d8794cc29df3b385eb0102bf0840b4"
    )
    monkeypatch.setattr("curation.read.TEXT_ONLY", 25)
    done = built(tmp_path, store, TEXT_ONLY)
    assert (done.manifest.version, done.manifest.input_digest) == (
        "1.0.1",
        "61d2bd40d29cb801ab891b7fdad98a26db884f1069a54f63ac9f4b82d1c7996c",
    )
