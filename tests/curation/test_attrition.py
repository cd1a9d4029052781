"""How the kept posts of a release differ from the collected ones, in its manifest, card and report."""

import json
import re
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.store import Store
from collectors.store.record import Media
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.manifest.attrition import Attrition, Medians, Part, told
from curation.manifest.manifest import read
from curation.purge import main as purge
from curation.release.check import check
from curation.release.count_attrition import COLUMNS, attrition, of_kept
from curation.report import write
from tests.curation.stores import built, make_store, post

SCORE = '[[filters]]\nuse = "score"\nmin = 960\n'


def some_post(number):
    """A happy or creepy post; from 30 on of 2015 and, from 48 on, with another host."""
    community = "happy" if number % 2 else "creepy"
    url = f"https://{'i.redd.it' if number < 48 else 'Old.example:443'}/{number}.jpg"
    return replace(
        post(number, community),
        score=(1000 if community == "happy" else 980) - number,
        created_at=1_400_000_000 if number < 30 else 1_450_000_000,
        media=(Media(url=url, position=0, kind="image"),),
    )


POSTS = [some_post(number) for number in range(60)]
BUILT = Attrition(
    all=Part("all", 60, 31, Medians(960, 975), Medians(2014, 2014)),
    classes=[
        Part("joy", 30, 20, Medians(969, 979), Medians(2014, 2014)),
        Part("fear", 30, 11, Medians(950, 970), Medians(2014, 2014)),
    ],
    hosts=[Part("i.redd.it", 48, 31), Part("old.example", 12, 0)],
    years=[Part("2014", 30, 26), Part("2015", 30, 5)],
)


def table(rows):
    columns = zip(*rows, strict=True) if rows else [[]] * 4
    types = (pa.string(), pa.int64(), pa.timestamp("s", tz="UTC"), pa.string())
    return pa.table(
        {name: pa.array(list(one), kind) for name, one, kind in zip(COLUMNS, columns, types, strict=True)}
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, store):
    return built(tmp_path_factory.mktemp("built"), store, SCORE).folder


@pytest.mark.slow
def test_a_build_counts_classes_hosts_and_years(folder):
    assert read(folder / "manifest.json").attrition == BUILT
    assert check(folder).faults == []
    dropped = pq.read_schema(next(folder.glob("dropped-*.parquet"))).names
    assert "image_url" not in dropped and "created_at" not in dropped


def test_card_and_report_say_who_is_lost(folder):
    card = (folder.parent / "README.md").read_text()
    assert (
        "| label | collected | kept | kept, % | median score, collected | kept |\n"
        "|---|---:|---:|---:|---:|---:|\n"
        "| joy | 30 | 20 | 66.7% | 969 | 979 |\n"
        "| fear | 30 | 11 | 36.7% | 950 | 970 |\n"
        "| all | 60 | 31 | 51.7% | 960 | 975 |\n"
    ) in card
    sentences = [
        "fear lost 63.3% of its collected posts, joy 33.3%; the share of joy changed most, from 50.0% of the "
        "posts to 64.5%.",
        "The median score is 975 of the kept posts and 960 of the collected ones; the median year is 2014 of "
        "both.",
        "Of the linked hosts old.example lost most: 100% of 12 posts.",
    ]
    assert "\n".join(f"- {one}" for one in sentences) in card
    assert told(BUILT, ["joy", "fear"], "posts") == sentences
    page = (folder / "report.html").read_text()
    section = re.search(r'<section id="attrition">.*?</section>', page, re.S)
    rows = re.findall(r"<tr>(.*?)</tr>", section[0])
    cells = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in rows]
    assert cells == [
        ["Class", "", "Collected", "Kept", "Share", "Median score"],
        ["joy", "30", "20", "66.7%", "969 → 979"],
        ["fear", "30", "11", "36.7%", "950 → 970"],
        ["Host", "", "Collected", "Kept", "Share"],
        ["i.redd.it", "48", "31", "64.6%"],
        ["old.example", "12", "0", "0%"],
        ["Year", "", "Collected", "Kept", "Share"],
        ["2014", "30", "26", "86.7%"],
        ["2015", "30", "5", "16.7%"],
    ]


@pytest.mark.slow
def test_a_purge_counts_the_kept_posts_again_and_the_collected_ones_stay(tmp_path):
    own = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, own, SCORE).folder
    with Store.open(own) as opened:  # two kept posts, and one that was dropped
        opened.add([replace(POSTS[number], removed="deleted") for number in (1, 33, 58)])
    assert purge(["test", "--datasets", str(tmp_path / "out"), "--store", str(own)]) == 0
    assert read(folder.with_name("1.0.1") / "manifest.json").attrition == Attrition(
        all=Part("all", 60, 29, Medians(960, 975), Medians(2014, 2014)),
        classes=[
            Part("joy", 30, 18, Medians(969, 979), Medians(2014, 2014)),
            Part("fear", 30, 11, Medians(950, 970), Medians(2014, 2014)),
        ],
        hosts=[Part("i.redd.it", 48, 29), Part("old.example", 12, 0)],
        years=[Part("2014", 30, 25), Part("2015", 30, 4)],
    )
    assert check(folder.with_name("1.0.1")).faults == []
    page = (folder.with_name("1.0.1") / "report.html").read_text()
    assert ['"reddit:00001"' in page, '"reddit:00058"' in page, '"reddit:00003"' in page] == [
        False,
        False,
        True,
    ]


@pytest.mark.slow
def test_a_rebuild_from_ids_compares_itself_with_the_ids(tmp_path, folder):
    ids, full = tmp_path / "ids", tmp_path / "full"
    assert write_ids([str(folder.parent), "--out", str(ids)]) == 0
    own = make_store(tmp_path / "store", [one for one in POSTS if one.post_id != "reddit:00001"])
    assert hydrate([str(ids), "--store", str(own), "--store-only", "--out", str(full)]) == 0
    found = read(full / "1.0.0" / "manifest.json").attrition
    assert (found.all, found.classes) == (
        Part("all", 31, 30, Medians(975, 974), Medians(2014, 2014)),
        [
            Part("joy", 20, 19, Medians(979, 979), Medians(2014, 2014)),
            Part("fear", 11, 11, Medians(970, 970), Medians(2014, 2014)),
        ],
    )


@pytest.mark.slow
def test_a_release_of_an_earlier_format_has_no_attrition_before_and_after_a_purge(tmp_path):
    own = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, own, SCORE).folder
    path = folder / "manifest.json"
    old = json.loads(path.read_text()) | {"format": 3}
    del old["attrition"]
    path.write_text(json.dumps(old))
    assert 'id="attrition"' not in write(folder).read_text()
    with Store.open(own) as opened:
        opened.add([replace(POSTS[1], removed="deleted")])
    assert purge(["test", "--datasets", str(tmp_path / "out"), "--store", str(own)]) == 0
    assert "attrition" not in json.loads((folder.with_name("1.0.1") / "manifest.json").read_text())


def test_counts_that_contradict_the_ledger_are_a_fault(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "1.0.0")
    path = copy / "manifest.json"
    wrong = json.loads(path.read_text())
    wrong["attrition"]["hosts"][0]["kept"] += 1
    path.write_text(json.dumps(wrong))
    assert check(copy).faults == [
        ("ledger", "60 collected and 32 kept by host are not those of the ledger"),
    ]


def test_hosts_of_few_posts_are_counted_together_and_generated_ones_are_the_real():
    rows = [("a", None, None, f"https://me@I.Imgur.com/{n}.jpg") for n in range(9)]
    rows += [("a", None, None, "https://sandbox.invalid/i.imgur.com/9.jpg")]
    rows += [("a", None, None, "http://home.of.one.person/1.jpg"), (None, None, None, None)]
    assert attrition(table(rows), table(rows[1:]), ["a", "b"]) == Attrition(
        all=Part("all", 12, 11),
        classes=[Part("a", 11, 10), Part("b", 0, 0), Part("no label", 1, 1)],
        hosts=[Part("i.imgur.com", 10, 9), Part("other hosts", 1, 1), Part("no address", 1, 1)],
        years=[],
    )


def test_without_scores_dates_and_addresses_only_the_classes_are_told():
    rows = [("a", None, None, None)] * 20 + [("b", None, None, None)] * 30
    found = attrition(table(rows), table(rows[5:]), ["a", "b"])
    assert (found.hosts, found.years) == ([], [])
    assert told(found, ["a", "b"], "images") == [
        "a lost 25.0% of its collected images, b 0%; the share of a changed most, from 40.0% of the images "
        "to 33.3%."
    ]
    assert told(attrition(table(rows), table(rows), ["a", "b"]), ["a", "b"], "images") == []
    assert told(None, ["a", "b"], "images") == []


ROW = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.one_of(st.none(), st.integers(-5, 5)),
    st.one_of(st.none(), st.integers(0, 2_000_000_000)),
    st.sampled_from([None, "https://i.redd.it/1", "https://one.example/2"]),
)


@given(st.lists(st.tuples(ROW, st.booleans()), max_size=40))
def test_every_row_is_counted_once(drawn):
    rows, kept = table([row for row, _ in drawn]), table([row for row, stays in drawn if stays])
    found = attrition(rows, kept, ["a", "b"])
    for parts in (found.classes, found.hosts, found.years):
        if parts:
            sums = sum(part.collected for part in parts), sum(part.kept for part in parts)
            assert sums == (len(rows), len(kept))
    assert of_kept(found, kept, ["a", "b"]) == found
