"""Vote tables and lists of adjective-noun pairs: what they give, and what their bad rows are."""

import pytest

from affectory.core.errors import InputError
from collectors.crawl.options import files
from collectors.flickr.lists import Lists
from collectors.flickr.votes import read_votes
from collectors.flickr.vso import Pair, read_pairs, read_photos
from tests.conftest import SHARED

FILE = "http://farm9.static.flickr.com/8383/{}_0f4c8d1f5d_z.jpg"
PAIRS = """The sentiment value of each ANP is created by merging …

1. beautiful [sentiment: 1.00] [#images: 18,487,527]
\tbeautiful_flower [sentiment: 1.77] [#imgs: 2,380,000]
\tbroken_pair
\tdry_bread [sentiment: 0.00] [#imgs: 12]
269. sad [sentiment: -1.00] [#images: 336]
\tsad_goodbye [sentiment: -1.76] [#imgs: 148]
"""


def table(folder, name, *rows):
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_votes_of_one_photo_under_two_emotions_are_merged(tmp_path):
    amusement = table(tmp_path, "amusement_1.csv", f"0,{FILE.format(1)},1,4", f"1,{FILE.format(2)},0,5")
    awe = table(tmp_path, "awe_1.csv", f"0,{FILE.format(1)},0,6")
    lists = read_votes([amusement, awe])
    assert lists.communities == ["amusement", "awe"]
    assert lists.photos["1"].votes == {"amusement": 4, "awe": 6}
    assert (lists.photos["1"].votes_total, lists.photos["1"].community) == (6, "awe")
    assert lists.photos["1"].url == "https://live.staticflickr.com/8383/1_0f4c8d1f5d_z.jpg"
    assert (lists.photos["2"].votes, lists.photos["2"].votes_total) == ({"amusement": 5}, 5)
    assert lists.skipped == {"rows_of_a_photo_listed_before": 1}


def test_the_first_row_of_a_photo_under_one_emotion_stands(tmp_path):
    lists = read_votes([table(tmp_path, "awe.csv", f"0,{FILE.format(1)},1,4", f"1,{FILE.format(1)},5,0")])
    assert (lists.photos["1"].votes, lists.photos["1"].votes_total) == ({"awe": 4}, 5)
    assert lists.skipped == {"rows_of_a_photo_listed_before": 1}


def test_a_bad_row_is_named_by_its_line_and_the_others_are_read(tmp_path):
    path = table(
        tmp_path,
        "fear_1.csv",
        f"0,{FILE.format(1)},1,4",
        f"1,{FILE.format(2)},1",
        "",
        f"2,{FILE.format(3)},one,4",
        f"3,{FILE.format(4)},1,-4",
        "4,http://i.imgur.com/x05uPhi.jpg,1,4",
        f"5,{FILE.format(6)},٣,4",
        f'6,"{FILE.format(7)}",2,3',
    )
    lists = read_votes([path])
    assert list(lists.photos) == ["1", "7"]
    assert [(rejection.reason, rejection.detail.partition(":")[0]) for rejection in lists.rejected] == [
        ("bad_row", "fear_1.csv, line 2"),
        ("bad_row", "fear_1.csv, line 4"),
        ("bad_row", "fear_1.csv, line 5"),
        ("no_flickr_photo", "fear_1.csv, line 6"),
        ("bad_row", "fear_1.csv, line 7"),
    ]
    assert lists.rejected[1].detail == "fear_1.csv, line 4: 'one' is not a number of votes"


def test_an_empty_table_among_others_is_counted_and_the_others_are_read(tmp_path):
    lists = read_votes(
        [table(tmp_path, "awe.csv", ""), table(tmp_path, "fear.csv", f"0,{FILE.format(1)},1,4")]
    )
    assert (lists.communities, list(lists.photos)) == (["awe", "fear"], ["1"])
    assert [(one.reason, one.detail) for one in lists.rejected] == [("empty_list", "awe.csv holds no row")]
    with pytest.raises(InputError) as caught:
        read_votes([tmp_path / "awe.csv"])
    assert str(caught.value) == f"--votes '{tmp_path}/awe.csv': no table holds a row"


def test_a_table_without_a_good_row_is_refused_also_among_others(tmp_path):
    good = table(tmp_path, "fear.csv", f"0,{FILE.format(1)},1,4")
    bad = table(tmp_path, "awe.csv", "1,http://x.example/1.jpg,1,4", "2,3")
    with pytest.raises(InputError) as caught:
        read_votes([good, bad])
    assert str(caught.value) == (
        f"no row of --votes '{bad}' gives a photo: awe.csv, line 1: 'http://x.example/1.jpg' is not a "
        "Flickr photo"
    )
    again = table(tmp_path, "fear_2.csv", f"0,{FILE.format(1)},2,3")
    assert read_votes([good, again]).skipped == {"rows_of_a_photo_listed_before": 1}


def test_lists_that_give_the_pairs_no_photo_are_refused(tmp_path):
    pairs = [Pair("beautiful_flower", 1.77), Pair("sad_goodbye", -1.76)]
    rows = table(tmp_path, "rows.tsv", "ugly_duck\t3")
    with pytest.raises(InputError) as caught:
        read_photos([rows], pairs, Lists(["positive", "negative"]))
    assert str(caught.value) == (
        "no row of --photos gives a photo: rows.tsv, line 1: 'ugly_duck' is not a pair of the list "
        "(unknown pair)"
    )
    empty = table(tmp_path, "beautiful_flower.txt", "# nothing yet")
    named = table(tmp_path, "sad_goodbye.txt", "4")
    lists = read_photos([rows, empty, named], pairs, Lists(["positive", "negative"]))
    assert list(lists.photos) == ["4"]
    assert [one.reason for one in lists.rejected] == ["unknown_pair", "empty_list"]


def test_a_line_that_is_no_utf_8_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "fear_1.csv"
    rows = [f"0,{FILE.format(i)},1,4".encode() for i in range(1, 4)]
    rows[1] = b"caf\xe9" + rows[1]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(rows))
    lists = read_votes([path])
    assert list(lists.photos) == ["1", "3"]
    assert [(one.reason, one.detail) for one in lists.rejected] == [
        ("bad_row", "fear_1.csv, line 2: byte 4 of the line, 0xe9, is not UTF-8")
    ]


def test_a_pair_may_be_written_with_a_space_where_a_tab_or_comma_parts_it_from_the_photo(tmp_path):
    pairs, _ = read_pairs(table(tmp_path, "list.txt", *PAIRS.splitlines()))
    rows = table(tmp_path, "rows.tsv", "beautiful flower\t11", "Beautiful Flower, 12", "beautiful_flower  13")
    lists = read_photos([rows], pairs, Lists(["positive", "negative"]))
    assert list(lists.photos) == ["11", "12", "13"]
    assert lists.rejected == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("awe.csv", b"\xe90,1", "is not UTF-8 text: convert it"),
        ("awe.csv", "\ufeff0,1\n2,3\n".encode("utf-16-le"), "is UTF-16 text, not UTF-8: convert it"),
        ("8_awe.csv", b"", "is not named after an emotion, as amusement_….csv is: rename it"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_votes([path])
    assert str(caught.value) == f"{str(path)!r} {message}"


def test_a_folder_stands_for_its_tables(tmp_path):
    path = table(tmp_path, "awe.csv")
    table(tmp_path, "README.md")
    assert files("--votes", [tmp_path], (".csv",)) == [path]
    with pytest.raises(InputError, match=r"--votes '.*nowhere' doesn't exist"):
        files("--votes", [tmp_path / "nowhere"], (".csv",))
    with pytest.raises(InputError, match=r"holds no \.txt file"):
        files("--photos", [tmp_path], (".txt",))


def test_a_limit_keeps_the_first_photos_of_each_emotion(tmp_path):
    rows = [f"{n},{FILE.format(n)},0,5" for n in range(1, 6)]
    lists = read_votes(
        [table(tmp_path, "awe.csv", *rows[:3]), table(tmp_path, "fear.csv", *rows[3:])],
    )
    lists.cut(2)
    assert list(lists.photos) == ["1", "2", "4", "5"]
    assert lists.skipped == {"outside_the_first_2": 1}


def test_pairs_have_the_sign_of_their_sentiment(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS)
    pairs, lists = read_pairs(path)
    assert [(pair.name, pair.words, pair.sign) for pair in pairs] == [
        ("beautiful_flower", "beautiful flower", "positive"),
        ("sad_goodbye", "sad goodbye", "negative"),
    ]
    assert [(one.reason, one.detail) for one in lists.rejected] == [
        ("bad_row", "pairs.txt, line 5: no pair with its sentiment: 'broken_pair'"),
        ("neutral_pair", "pairs.txt, line 6: 'dry_bread' has sentiment 0"),
    ]


def test_the_published_list_gives_its_3244_pairs():
    path = SHARED / "vso" / "3244ANPs.txt"
    if not path.is_file():
        pytest.skip("needs VSO's list of pairs (../shared/data)")
    pairs, lists = read_pairs(path)
    assert len(pairs) == 3244
    assert sum(pair.sign == "positive" for pair in pairs) == 1789
    assert lists.rejected == []


def test_a_list_without_a_pair_is_refused(tmp_path):
    path = tmp_path / "awe.csv"
    path.write_text("0,1,2,3\n")
    with pytest.raises(InputError, match=r"holds no line like 'beautiful_flower \[sentiment: 1\.77\]'"):
        read_pairs(path)


def test_photos_come_in_rows_with_their_pair_or_in_files_of_its_name(tmp_path):
    rows = tmp_path / "rows.tsv"
    rows.write_text(
        f"# pair, photo\nbeautiful_flower\t{FILE.format(1)}\nsad_goodbye,2\nugly_duck 3\nsad_goodbye x\n"
        "beautiful flower 123\n"
    )
    named = tmp_path / "beautiful_flower.txt"
    named.write_text("https://www.flickr.com/photos/someone/4/\n1\n2\n")
    pairs = [Pair("beautiful_flower", 1.77), Pair("sad_goodbye", -1.76)]
    lists = read_photos([rows, named], pairs, Lists(["positive", "negative"]))
    assert {photo: (one.sentiment, one.url) for photo, one in lists.photos.items()} == {
        "1": ("positive", "https://live.staticflickr.com/8383/1_0f4c8d1f5d_z.jpg"),
        "4": ("positive", None),
    }
    assert [(one.reason, one.detail) for one in lists.rejected] == [
        ("unknown_pair", "rows.tsv, line 4: 'ugly_duck' is not a pair of the list"),
        ("no_flickr_photo", "rows.tsv, line 5: 'x' is not a Flickr photo"),
        (
            "unknown_pair",
            "rows.tsv, line 6: 'beautiful' is not a pair of the list; put a tab, comma or semicolon between "
            "pair and photo",
        ),
        ("conflicting_pairs", "2: beautiful_flower, sad_goodbye"),
    ]
