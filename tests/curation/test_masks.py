"""Names of users, e-mail addresses and phone numbers are masked in texts, and nothing else is."""

import json
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import RecipeError
from collectors.store import Store
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.measure import masks
from curation.measure.masks import masked
from curation.purge import main as purge
from curation.recipe.recipe import Recipe
from tests.curation.stores import built, dropped_rows, make_store, post, rows_of

ALL = ("usernames", "emails", "phones")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thanks u/some_name!", "thanks u/[user]!"),
        ("/u/Name-1 and U/name", "/u/[user] and U/[user]"),
        (r"by u/some\_name", "by u/[user]"),
        ("https://old.reddit.com/user/jane/comments/1", "https://old.reddit.com/user/[user]/comments/1"),
        ("reddit.com/r/u_jane_doe", "reddit.com/r/u_[user]"),
        (
            "flickr.com/photos/jane/53509656752 by 12345678@N00",
            "flickr.com/photos/[user]/53509656752 by [user]",
        ),
        ("(@jane.doe, @9gag)", "(@[user], @[user])"),
        ("tiktok.com/@jane/video/1", "tiktok.com/@[user]/video/1"),
        ("@jane_d@mastodon.social, @ko@x.org.", "@[user], @[user]."),
        ("谢谢@jane你好", "谢谢@[user]你好"),
        ("mail jane.doe+x@mail.example.co.uk.", "mail [email]."),
        ("jane (at) example (dot) org or jane at gmail dot com", "[email] or [email]"),
        ("jane_@gmail.com, jane @ gmail.com", "[email], [email]"),
        ("a@b.com@c.com", "[email]@[user]"),
        ("call (415) 555-0123, +44 20 7946 0018 or 020 7946 0018", "call [phone], [phone] or [phone]"),
    ],
)
def test_a_name_an_address_and_a_number_are_masked(text, expected):
    assert masked(text, ALL) == expected


@pytest.mark.parametrize(
    "text",
    [
        "r/happy and /r/aww", "him/her/u/me and/or w/u", "@ 5pm, @5pm-7pm, @60fps, @12:30",
        "@home, @everyone", "npm i @types/node react@18.2.0 lodash@latest", "icon@2x.png",
        "git@github.com:user/repo.git", "h@ppy @_@ >@< @ss f@ck @$$ @", "precision@10", "look at gmail.com",
        "meet (at) home. ok", "12:30 2019-10-12 8.5/10 $1,200,300 1447891234", "192.168.100.200",
        "imgur.com/a/4155550123 7", "https://i.redd.it/4155550123.jpg", "1999-2005, 10-20-2019",
    ],
)  # fmt: skip
def test_what_is_no_name_address_or_number_stays(text):
    assert masked(text, ALL) == text


def test_only_the_kinds_that_are_asked_for_are_masked():
    text = "u/name, jane@example.org, (415) 555-0123"
    assert masked(text, ("usernames",)) == "u/[user], jane@example.org, (415) 555-0123"
    assert masked(text, ("emails",)) == "u/name, [email], (415) 555-0123"
    assert masked(text, ("phones",)) == "u/name, jane@example.org, [phone]"
    assert masked(text, ()) == text


PIECES = st.sampled_from(
    ["u/", "/u/", "r/", "r/u_", "@", "jane", "doe", ".", "_", "-", " ", "/", "example", ".com",
     "reddit.com/user/", "(at)", " at ", " dot ", "gmail", "415", "555", "0123", "+44", "20 7946 0018", "(",
     ")", "@N00", "12345", "\n", "[user]", "[email]", "[phone]", "\\_", "é", "你", "5pm", "\u200b",
     "https://"]
)  # fmt: skip


@given(
    st.one_of(st.lists(PIECES, max_size=20).map("".join), st.text(max_size=60)),
    st.lists(st.sampled_from(ALL), min_size=1, unique=True),
)
def test_masking_twice_changes_nothing_and_leaves_nothing_to_mask(text, kinds):
    once = masked(text, kinds)
    assert masked(once, kinds) == once
    for kind in kinds:
        assert masked(once, [kind]) == once


@pytest.mark.parametrize(
    "text", ["@a.b" * 5000, "a@" + "b." * 10000, "a (at) " * 4000, "a." * 10000 + "@", "/u/aaa" * 6000]
)
def test_long_texts_made_to_be_slow_are_masked_in_time(text):
    assert masked(masked(text, ("usernames", "emails")), ("emails", "usernames")) is not None


def test_a_recipe_that_masks_nothing_keeps_its_digest():
    said = {"name": "a", "title": "A", "summary": "A.", "labels": {"x": "joy", "y": "fear"}}
    plain = Recipe.model_validate(said)
    assert "mask" not in plain.plain()["text"]
    assert plain.digest() != Recipe.model_validate(said | {"text": {"mask": ["emails"]}}).digest()


def test_phone_numbers_without_their_package_are_one_line(monkeypatch):
    masks._library.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    masks.require(("usernames", "emails"))
    with pytest.raises(RecipeError) as error:
        masks.require(ALL)
    assert str(error.value) == (
        "text.mask = [\"phones\"] needs the package phonenumbers: pip install 'affectory[privacy]'"
    )
    masks._library.cache_clear()


MASKING = '[text]\nparts = ["title", "body"]\nmask = ["usernames", "emails", "phones"]\n'
POSTS = [
    post(
        n,
        ("happy", "creepy")[n % 2],
        title=f"day {n} with u/jane_doe{n}",
        body="mail me@example.org, @jane" if n % 3 else "call (415) 555-0123",
        permalink=f"https://www.reddit.com/r/happy/comments/{n:05}/day_with_ujane_doe{n}/",
    )
    for n in range(30)
]


@pytest.mark.slow
def test_no_file_of_a_release_has_what_is_masked_and_all_say_how_many(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    done = built(tmp_path, store, f'{MASKING}[[filters]]\nuse = "score"\nmin = 980\n')
    rows = rows_of(done.folder)
    assert len(rows) == 21
    one = rows["reddit:00003", 0]
    assert (one["title"], one["body"]) == ("day 3 with u/[user]", "call [phone]")
    assert one["text"] == "day 3 with u/[user]\ncall [phone]"
    assert one["permalink"] == "https://www.reddit.com/comments/00003/"
    assert {row["title"] for row in dropped_rows(done.folder)} == {
        f"day {n} with u/[user]" for n in range(21, 30)
    }
    described = json.loads((done.folder / "manifest.json").read_bytes())
    assert described["masked"] == {"usernames": 35, "emails": 14, "phones": 7}
    assert "phonenumbers" in described["tools"]
    told = "masked in texts: 35 names of users, 14 e-mail addresses, 7 phone numbers"
    assert f"note    {told}" in str(done)
    assert told in (done.folder / "report.html").read_text()
    assert told in (done.folder.parent / "README.md").read_text()
    for path in done.folder.parent.rglob("*"):
        if path.is_file() and "recipe.toml" not in path.name:
            assert b"jane" not in path.read_bytes(), path


@pytest.mark.slow
def test_a_rebuilt_and_a_purged_release_are_masked_too(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    done = built(tmp_path, store, MASKING)
    folder = done.folder.parent
    assert write_ids([str(folder), "--out", str(tmp_path / "ids")]) == 0
    given = ["--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate([str(tmp_path / "ids"), *given]) == 0
    again = tmp_path / "full" / done.folder.name
    full, first = rows_of(again), rows_of(done.folder)
    assert {key: (row["text"], row["title"], row["body"]) for key, row in full.items()} == {
        key: (row["text"], row["title"], row["body"]) for key, row in first.items()
    }
    assert json.loads((again / "manifest.json").read_bytes())["masked"] == done.manifest.masked
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    assert purge(["test", "--datasets", str(folder.parent), "--store", str(store)]) == 0
    described = json.loads((folder / "1.0.1" / "manifest.json").read_bytes())
    assert described["masked"] == {"usernames": 49, "emails": 20, "phones": 9}
