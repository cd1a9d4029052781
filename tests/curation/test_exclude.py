"""The opt-out list of a dataset: whom it names is in no release, purged or built."""

import hashlib
import json
from dataclasses import replace

import pytest

from affectory.core.errors import InputError
from collectors.store import Store
from curation.build import main as build_command
from curation.hydrate import main as hydrate
from curation.ids import main as ids
from curation.purge import main as purge
from curation.recipe import exclude
from curation.release.assemble import build
from tests.curation.stores import dropped_of, dropped_rows, make_store, post, rows_of, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


def hash_of(post_id):
    return hashlib.sha256(post_id.encode()).hexdigest()


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """Where the `datasets` library keeps what it loads."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "library"))


@pytest.fixture
def home(tmp_path):
    """A folder with a store, and a release of it without a post that was dropped for its score."""
    store = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "score"\nmin = 943\n')
    build(recipe, store=store, out=tmp_path / "datasets")
    return tmp_path


def arguments(home, *more):
    return ["test", "--datasets", str(home / "datasets"), "--store", str(home / "store"), *more]


def test_a_list_has_hashes_comments_and_empty_lines(tmp_path):
    path = tmp_path / "list.txt"
    first, second = hash_of("reddit:1"), hash_of("reddit:2")
    path.write_text(f"\ufeff# asked by mail\n\n{first.upper()}  # in March\r\n  {second}\n")
    assert exclude.read(path) == {first, second}
    assert exclude.opted_out(["reddit:0", "reddit:1"], exclude.read(path)) == {"reddit:1"}


def test_a_posts_hash_is_what_sha256sum_prints():
    printed = "aaf658858f061fd8004835f1fde201433be7f63ed2e6571099d2b3b46816add5"
    assert exclude.opted_out(["reddit:3svmej"], {printed}) == {"reddit:3svmej"}


@pytest.mark.parametrize("end", ["  -\n", " *-\r\n", "\t-", " -  # asked by mail"])
def test_a_list_takes_what_sha256sum_prints_as_it_is(tmp_path, end):
    (tmp_path / "list.txt").write_text(hash_of("reddit:3svmej") + end)
    assert exclude.read(tmp_path / "list.txt") == {hash_of("reddit:3svmej")}
    assert exclude.add(tmp_path / "list.txt", tmp_path) == 1
    assert (tmp_path / "exclude.txt").read_text() == f"{hash_of('reddit:3svmej')}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"# ids\nreddit:3svmej\n",
            "line 2: 'reddit:3svmej' is not a SHA-256 in hex (64 digits): write the hash of one post's id a "
            "line, as `printf %s reddit:3svmej | sha256sum` prints it",
        ),
        (b"a" * 63, f"line 1: '{'a' * 63}' is not a SHA-256 in hex (64 digits)"),
        (b"g" * 64, f"line 1: '{'g' * 64}' is not a SHA-256 in hex (64 digits)"),
        (b"\xff\xfe", "line 1: '\ufffd\ufffd' is not a SHA-256 in hex (64 digits)"),
        (b"a" * 64 + b"-", f"line 1: '{'a' * 64}-' is not a SHA-256 in hex (64 digits)"),
        (b"a" * 64 + b"  x", f"line 1: '{'a' * 64}  x' is not a SHA-256 in hex (64 digits)"),
    ],
)
def test_a_bad_line_is_named_with_its_number(capsys, home, content, message):
    path = home / "list.txt"
    path.write_bytes(content)
    assert purge(arguments(home, "--exclude", str(path))) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}, {message}")
    assert error.count("\n") == 1
    assert not (home / "datasets" / "test" / "exclude.txt").exists()


def test_a_list_that_isnt_there_is_named(capsys, home):
    assert purge(arguments(home, "--refresh", "--exclude", "nowhere.txt")) == 2
    assert capsys.readouterr().err == (
        "error: the opt-out list 'nowhere.txt' can't be read: No such file or directory\n"
    )


def test_a_bad_line_beside_the_recipe_stops_a_build(home):
    (home / "datasets" / "test" / "exclude.txt").write_text("reddit:00003\n")
    with pytest.raises(InputError, match=r"exclude\.txt, line 1: 'reddit:00003' is not a SHA-256"):
        build(home / "datasets" / "test" / "recipe.toml", store=home / "store", out=home / "datasets")


@pytest.mark.slow
def test_opted_out_posts_leave_a_tombstone_and_no_later_build_has_them(capsys, home):
    path, folder = home / "list.txt", home / "datasets" / "test"
    wanted = ["reddit:00003", "reddit:00059", "reddit:elsewhere"]
    path.write_text("".join(f"{hash_of(one)}\n" for one in wanted))
    assert purge(arguments(home, "--exclude", str(path))) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "test 1.0.1: 1 opted-out post removed; 1 dropped post reduced to a tombstone (1 opted_out)"
    )
    assert (
        f"exclude {folder / 'exclude.txt'} has 3 ids, 3 new; releases of test have or had 2 of them" in said
    )
    kept = f"note    the crawl store {home / 'store'} still holds 2 opted-out posts"
    assert f"{kept}, which every build leaves out" in said
    assert "note    earlier versions still hold deleted posts: 1.0.0" in said
    assert rows_of(folder / "1.0.0").keys() - rows_of(folder / "1.0.1").keys() == {("reddit:00003", 0)}
    assert dropped_of(folder / "1.0.1") == [
        ("reddit:00003", "purge", "opted_out", "opted_out", None),
        *(row for row in dropped_of(folder / "1.0.0") if row[0] == "reddit:00058"),
        ("reddit:00059", "purge", "opted_out", "opted_out", None),
    ]
    assert json.loads((folder / "1.0.1" / "manifest.json").read_text())["ledger"]["steps"] == [
        {"stage": "score", "reason": "score_too_low", "rows": 1},
        {"stage": "purge", "reason": "opted_out", "rows": 2},
    ]
    # The list stays: purges and builds need no option for it.
    assert purge(arguments(home)) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "note    earlier versions still hold deleted posts: 1.0.0"
    )
    assert build_command([*arguments(home), "--out", str(home / "datasets")]) == 0
    built = folder / capsys.readouterr().out.split()[1]
    assert built.name == "1.0.2"
    assert rows_of(built).keys() == rows_of(folder / "1.0.1").keys()
    assert [row[:4] for row in dropped_of(built)] == [
        ("reddit:00003", "removed", "opted_out", "opted_out"),
        ("reddit:00058", "score", "score_too_low", "942"),
        ("reddit:00059", "removed", "opted_out", "opted_out"),
    ]
    (row,) = [row for row in dropped_rows(built) if row["post_id"] == "reddit:00003"]
    shown = ("title", "permalink", "score", "label", "image_sha256", "thumbnail")
    assert [row[name] for name in shown] == [None] * 6
    assert (built / "report.html").read_text().count('<li class="bad">') == 0


@pytest.mark.slow
def test_a_list_that_names_nobody_here_changes_no_release(home):
    folder = home / "datasets" / "test"
    (folder / "exclude.txt").write_text(hash_of("reddit:elsewhere") + "\n")
    again = build(folder / "recipe.toml", store=home / "store", out=home / "datasets")
    assert (again.manifest.version, again.stood) == ("1.0.0", True)


@pytest.mark.slow
def test_lists_are_added_up(capsys, home):
    folder, path = home / "datasets" / "test", home / "list.txt"
    (folder / "exclude.txt").write_text(f"# kept by hand\n{hash_of('reddit:a')}")
    for post_ids, new in ((["reddit:a", "reddit:b"], 1), (["reddit:b"], 0)):
        path.write_text("\n".join(map(hash_of, post_ids)))
        assert purge(arguments(home, "--exclude", str(path))) == 0
        said = capsys.readouterr().out.splitlines()
        assert said == [
            "test 1.0.0: no data of posts that their source has deleted or that opted out; nothing to do",
            f"exclude {folder / 'exclude.txt'} has 2 ids, {new} new; releases of test have or had 0 of them",
        ]
    lines = f"# kept by hand\n{hash_of('reddit:a')}\n{hash_of('reddit:b')}\n"
    assert (folder / "exclude.txt").read_text() == lines
    assert purge(arguments(home, "--exclude", str(folder / "exclude.txt"))) == 0
    assert (folder / "exclude.txt").read_text() == lines


@pytest.mark.slow
def test_a_post_that_was_deleted_as_well_keeps_its_sources_reason(capsys, home):
    with Store.open(home / "store") as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    (home / "list.txt").write_text(hash_of("reddit:00003"))
    assert purge(arguments(home, "--exclude", str(home / "list.txt"))) == 0
    assert capsys.readouterr().out.startswith("test 1.0.1: 1 deleted post removed (1 deleted)\n")


@pytest.mark.slow
def test_the_duplicate_of_an_opted_out_post_is_published_instead(capsys, tmp_path):
    title = "the same words in two posts"
    posts = [
        replace(one, title=title) if one.post_id in ("reddit:00002", "reddit:00004") else one for one in POSTS
    ]
    store = make_store(tmp_path / "store", posts)
    recipe = write_recipe(tmp_path / "datasets", '[duplicates]\npolicy = "keep-best"\n')
    build(recipe, store=store, out=tmp_path / "datasets")
    (tmp_path / "list.txt").write_text(hash_of("reddit:00002"))
    assert purge(arguments(tmp_path, "--exclude", str(tmp_path / "list.txt"))) == 0
    assert capsys.readouterr().out.startswith(
        "test 1.0.1: 1 opted-out post removed; 1 duplicate of deleted posts published instead\n"
    )
    assert ("reddit:00004", 0) in rows_of(tmp_path / "datasets" / "test" / "1.0.1")


@pytest.mark.slow
def test_a_rebuild_from_earlier_ids_leaves_them_out_too(capsys, home):
    assert ids([str(home / "datasets" / "test")]) == 0
    folder = home / "datasets" / "test-ids"
    (folder / "exclude.txt").write_text(hash_of("reddit:00003"))
    out = home / "full"
    assert hydrate([str(folder), "--store", str(home / "store"), "--store-only", "--out", str(out)]) == 0
    assert dropped_of(out / "1.0.0")[:1] == [("reddit:00003", "removed", "opted_out", "opted_out", None)]
    assert ("reddit:00003", 0) not in rows_of(out / "1.0.0")


@pytest.mark.slow
def test_the_list_goes_with_the_ids_and_the_rebuilt_release_without_its_comments(capsys, home):
    folder = home / "datasets" / "test"
    listed = [hash_of("reddit:00003"), hash_of("reddit:elsewhere")]
    (folder / "exclude.txt").write_text("# asked by mail\n" + "\n".join(listed))
    assert ids([str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    received = home / "datasets" / "test-ids"
    assert f"exclude {received / 'exclude.txt'} has 2 ids, which a rebuild leaves out" in said
    assert (
        "note    1 of these posts opted out later: write the ids of a version without them, which "
        "affectory purge test makes"
    ) in said
    full = home / "full"
    assert hydrate([str(received), "--store", str(home / "store"), "--store-only", "--out", str(full)]) == 0
    assert ("reddit:00003", 0) not in rows_of(full / "1.0.0")
    for copy in (received, full):
        assert (copy / "exclude.txt").read_text() == "".join(f"{one}\n" for one in sorted(listed))


@pytest.mark.slow
def test_a_post_that_opted_out_is_not_collected_for_a_rebuild(home, monkeypatch):
    folder = home / "datasets" / "test"
    assert ids([str(folder)]) == 0
    received, full = home / "datasets" / "test-ids", home / "full"
    (received / "exclude.txt").write_text(hash_of("reddit:00003"))
    full.mkdir()
    (full / "exclude.txt").write_text(hash_of("reddit:00004"))
    asked = []
    monkeypatch.setattr(
        "curation.hydration.recollect.collect",
        lambda rows, store, sandbox_url: asked.extend(row["post_id"] for row in rows),
    )
    make_store(home / "anew", [one for one in POSTS if one.post_id != "reddit:00003"])
    assert hydrate([str(received), "--store", str(home / "anew"), "--out", str(full)]) == 0
    named = {post_id for post_id, _ in rows_of(folder / "1.0.0")}
    assert set(asked) == named - {"reddit:00003"}
    assert dropped_of(full / "1.0.0") == [
        ("reddit:00003", "hydrate", "opted_out", "opted_out", None),
        ("reddit:00004", "removed", "opted_out", "opted_out", None),
    ]
    assert rows_of(full / "1.0.0").keys() == {
        key for key in rows_of(folder / "1.0.0") if key[0] not in ("reddit:00003", "reddit:00004")
    }


@pytest.mark.slow
def test_the_list_beside_a_recipe_goes_with_a_release_elsewhere(home):
    recipes = home / "datasets" / "test"
    (recipes / "exclude.txt").write_text(f"{hash_of('reddit:00003')}  # by mail\n")
    done = build(recipes / "recipe.toml", store=home / "store", out=home / "out")
    assert (home / "out" / "test" / "exclude.txt").read_text() == f"{hash_of('reddit:00003')}\n"
    assert ("reddit:00003", 0) not in rows_of(done.folder)
