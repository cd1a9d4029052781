"""Duplicates in a release: groups, leaks between splits, and the recipe's policy."""

import pyarrow.parquet as pq
import pytest

from collectors.store import Store
from tests.curation.stores import Picture, built, make_store, post, put_image, split_of

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.mark.slow
def test_duplicates_are_grouped_and_never_straddle_a_split(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    with Store.open(store) as opened:
        for one in POSTS:
            number = int(one.post_id[7:])
            put_image(opened, one.media[0].url, Picture(number // 4).bytes())
    folder = built(tmp_path, store, '[duplicates]\ntexts = "off"\n').folder
    rows = [r for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()]
    rows += pq.read_table(next(folder.glob("validation-*.parquet"))).to_pylist()
    splits = split_of(folder)
    by_group = {}
    for row in rows:
        by_group.setdefault(row["duplicate_group"], set()).update(splits[row["post_id"]])
    assert len(by_group) == 15
    assert {len(found) for found in by_group.values()} == {1}


@pytest.mark.slow
def test_the_papers_rule_counts_the_twins_that_it_leaves(tmp_path):
    posts = [
        post(i, "happy" if i % 2 else "creepy", title="the same old title" if i < 30 else None)
        for i in range(60)
    ]
    done = built(tmp_path, make_store(tmp_path / "store", posts), '[split]\nleakage = "paper"\n')
    assert done.manifest.twins == {"test": 6, "validation": 6}
    assert "6 test and 6 validation" in (done.folder.parent / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["keep-best", "drop-conflicts"])
def test_the_policy_for_duplicates_is_the_recipes(tmp_path, policy):
    posts = [
        *POSTS,
        post(61, "happy", title="twin titles are here", score=5),
        post(62, "creepy", title="Twin titles are here!"),
    ]
    text = f'[duplicates]\nimages = []\npolicy = "{policy}"\n'
    done = built(tmp_path, make_store(tmp_path / "store", posts), text)
    dropped = pq.read_table(next(done.folder.glob("dropped-*.parquet"))).to_pylist()
    found = [(d["post_id"], d["reason"], d["detail"]) for d in dropped]
    assert (
        found
        == {
            "keep-best": [("reddit:00061", "duplicate", "of reddit:00062")],
            "drop-conflicts": [
                ("reddit:00061", "conflicting_labels", "fear, joy"),
                ("reddit:00062", "conflicting_labels", "fear, joy"),
            ],
        }[policy]
    )
