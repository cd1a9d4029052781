"""Tables joined by ids that are spelled differently."""

import pytest

from collectors.local.posts import Tables
from collectors.local.source import Local
from collectors.store.record import Post


@pytest.mark.parametrize(
    ("ids", "joined", "found"),
    [
        ("v1 v1.0", ["v1.0,text of v1.0", "v1,text of v1"], {"v1": "text of v1", "v1.0": "text of v1.0"}),
        ("v1 v2.0", ["v1.0,one", "v2,two"], {"v1": "one", "v2.0": "two"}),
        ("1", ["1.0,one", "01,no"], {"1": "one"}),
        ("v1.0w1", ["v1.0w1.0,no", "v1w1.0,no"], {}),  # which of the two is not known
    ],
)
def test_a_row_is_joined_by_the_id_as_it_is_written_first(tmp_path, ids, joined, found):
    (tmp_path / "t.csv").write_text("id\n" + "".join(f"{own_id}\n" for own_id in ids.split()))
    (tmp_path / "u.csv").write_text("id,text\n" + "".join(f"{row}\n" for row in joined))
    source = Local(tables=("t.csv",), join=("u.csv",), id="id", title="text")
    posts = [one for one in Tables.open("mine", tmp_path, source, {}) if isinstance(one, Post)]
    assert {post.post_id.removeprefix("mine:"): post.title for post in posts} == found


def test_tables_that_spell_ids_differently_are_joined(tmp_path):
    (tmp_path / "t.csv").write_text("id\n1\n2.0\n")
    (tmp_path / "u.csv").write_text("id,text\n1,one\n2,two\n1.0,other\n")
    (tmp_path / "v.csv").write_text("id,mood\n1.0,sad\n2,glad\n3,sad\n4,sad\n")
    (tmp_path / "w.csv").write_text("id,mood\n2.0,sad\n")
    source = Local(tables=("t.csv",), join=("u.csv", "v.csv", "w.csv"), id="id", title="text", label="mood")
    tables = Tables.open("mine", tmp_path, source, {})
    assert [(post.title, post.label) for post in tables] == [("one", "sad"), ("two", "glad")]
    assert tables.notes == ["1 row of w.csv skipped: duplicate id"]
    assert tables.closing_notes()[:2] == [
        "1 id of u.csv is in no other table: '1.0'",
        "2 ids of v.csv are in no other table: '3', …",
    ]
