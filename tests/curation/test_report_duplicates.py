"""The report on duplicates, those kept and those dropped, and on releases without pictures."""

import re
from dataclasses import replace

import pytest

from collectors.store import Store
from curation.deleted.removal import Places, purge
from curation.manifest.manifest import Manifest
from curation.release.assemble import build
from curation.report.galleries import duplicates
from curation.report.overview import _beside
from curation.report.twins import Twins
from tests.curation.stores import make_store, post, write_recipe
from tests.curation.test_report import text_of

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
TWINS = [
    post(61, title="twin titles are here", score=5),
    post(62, "creepy", title="Twin titles are here!", score=10),
]
BEST = '[duplicates]\nimages = []\npolicy = "keep-best"\n'


def page_of(tmp_path, posts, text, *, pictures=True):
    store = make_store(tmp_path / "store", posts, pictures=pictures)
    done = build(write_recipe(tmp_path / "datasets", text), store=store, out=tmp_path / "datasets")
    return (done.folder / "report.html").read_text()


def section(page, name):
    return page.partition(f'id="{name}"')[2].partition("</section>")[0]


def test_a_dropped_duplicate_stands_beside_the_post_that_was_kept(tmp_path):
    page = page_of(tmp_path, [*POSTS, *TWINS], BEST)
    said = text_of(section(page, "duplicates"))
    assert "known as duplicates. 1 post was dropped as a duplicate ( shown below )." in said
    pair = section(page, "dropped")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", pair) == ["dropped, and the one kept"]
    assert re.findall(r'alt="Image of post (\S+?)"', pair) == ["reddit:00061", "reddit:00062"]


@pytest.mark.slow
def test_a_duplicate_whose_kept_twin_was_purged_stands_alone_where_the_store_lacks_it(tmp_path):
    page_of(tmp_path, [*POSTS, *TWINS], BEST)
    with Store.open(tmp_path / "store") as opened:
        opened.add([replace(TWINS[1], removed="deleted")])
        opened._db.execute("delete from posts where post_id = ?", (TWINS[0].post_id,))
    purge(Places(tmp_path / "datasets" / "test"), store=tmp_path / "store")
    page = section((tmp_path / "datasets" / "test" / "1.0.1" / "report.html").read_text(), "dropped")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["dropped"]
    assert re.findall(r'alt="Image of post (\S+?)"', page) == ["reddit:00061"]


def test_a_pair_is_veiled_where_one_of_it_is_marked_18(tmp_path):
    twins = [TWINS[0], replace(TWINS[1], over_18=True)]
    page = section(page_of(tmp_path, [*POSTS, *twins], BEST), "dropped")
    veiled = re.findall(r'aria-label="Image marked 18\+, of post (\S+?):', page.replace("reddit:", ""))
    assert veiled == ["00061", "00062"]


def test_one_group_straddles_and_one_mixes():
    manifest = Manifest(
        name="test",
        version="1.0.0",
        title="Test",
        summary="",
        classes=("joy", "fear"),
        counts={},
        ledger={"unit": "posts", "collected": 9, "steps": [], "kept": 9},
    )
    figures = type("Figures", (), {"test_posts": 3})
    one = Twins(groups=1, rows=2, largest=2, straddling=1, conflicting=1, leaks={"test": 1, "validation": 0})
    two = replace(one, groups=2, rows=4, straddling=2, conflicting=2)
    said = [text_of(duplicates(manifest, figures, twins, {})) for twins in (one, two)]
    assert "the largest holds 2. 1 straddles splits, 1 mixes labels." in said[0]
    assert "the largest holds 2. 2 straddle splits, 2 mix labels." in said[1]


def test_a_share_has_the_sign_of_its_difference():
    said = [text_of("".join(_beside(ours, 200))) for ours in (100, 250, 200)]
    assert said == [" 200 \u2212100 (\u221250.0%) ", " 200 +50 (+25.0%) ", " 200 ±0 "]


def test_a_release_without_pictures_leaves_no_room_for_them(tmp_path):
    text = '[images]\nwhich = "none"\n[duplicates]\nimages = []\n[[filters]]\nuse = "score"\nmin = 960\n'
    page = page_of(tmp_path, [*POSTS, *TWINS], text, pictures=False)
    for name, cards in (("random", 24), ("duplicates", 0), ("dropped", 6)):
        shown = section(page, name)
        assert (shown.count('class="card"'), shown.count('class="frame')) == (cards, 0)


@pytest.mark.slow
def test_a_credit_says_what_the_card_has_not_said_yet(tmp_path):
    posts = [replace(one, licence="CC BY 4.0") if i % 2 else one for i, one in enumerate(POSTS)]
    page = page_of(tmp_path, posts, "")
    assert "reddit post" not in text_of(page)
    assert set(re.findall(r'credit" dir="auto">(.*?)</p>', page)) == {"CC BY 4.0"}
