"""`python -m collectors.flickr --ids`: photos by their ids, with what a table says of them."""

import pytest

from affectory.core.errors import InputError
from collectors.flickr.__main__ import main
from collectors.flickr.ids import read_ids
from collectors.flickr.urls import target_of
from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from tests.collectors.flickr_runs import rows

FILE = "https://live.staticflickr.com/8383/{}_0f4c8d1f5d_z.jpg"


@pytest.fixture(autouse=True)
def no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


def text(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_text_file_has_an_id_or_an_address_a_line(tmp_path):
    lists = read_ids(
        [
            text(
                tmp_path / "ids.txt",
                "# my photos",
                "11",
                "https://www.flickr.com/photos/someone/12/",
                "",
                "http://farm9.static.flickr.com/8383/13_0f4c8d1f5d_z.jpg",
                "11",
            )
        ]
    )
    assert [(one.photo_id, one.url) for one in lists.photos.values()] == [
        ("11", None),
        ("12", None),
        ("13", FILE.format(13)),
    ]
    assert lists.communities == ["photos"]
    assert lists.skipped == {"rows_of_a_photo_listed_before": 1}


def test_a_line_that_is_too_long_or_has_an_unclosed_quote_is_rejected(tmp_path):
    path = text(tmp_path / "ids.csv", "id,community", '11,"awe', "12," + "x" * (1 << 24), '13,"awe"')
    lists = read_ids([path])
    assert [(one.photo_id, one.community) for one in lists.photos.values()] == [("13", "awe")]
    assert [(one.reason, one.detail) for one in lists.rejected] == [
        ("bad_row", "ids.csv, line 2: unexpected end of data: '11,\"awe'"),
        ("bad_row", "ids.csv, line 3: longer than 16,777,216 characters"),
    ]


FILES = "https://live.staticflickr.com/8383/8674318733"


@pytest.mark.parametrize(
    ("address", "photo", "url"),
    [
        ("https://flic.kr/p/FPVo9U", "26140204724", None),
        ("http://flic.kr/p/FPVo9U/", "26140204724", None),
        (f"{FILES}_0f4c8d1f5d_b_d.jpg", "8674318733", f"{FILES}_0f4c8d1f5d_b.jpg"),
        (f"{FILES}_0f4c8d1f5d_o_d.jpg", "8674318733", f"{FILES}_0f4c8d1f5d_o.jpg"),
        (f"{FILES}_0f4c8d1f5d_d.jpg", "8674318733", f"{FILES}_0f4c8d1f5d.jpg"),
        (f"{FILES}_0f4c8d1f5d_3k.jpg", "8674318733", f"{FILES}_0f4c8d1f5d_3k.jpg"),
        ("https://www.flickr.com/photo_zoom.gne?id=8674318733&size=o", "8674318733", None),
        ("https://www.flickr.com/photo_zoom.gne?size=o&id=8674318733", "8674318733", None),
    ],
)
def test_old_and_short_addresses_name_their_photo(address, photo, url):
    assert target_of(address) == (photo, url)


@pytest.mark.parametrize(
    "address", ["https://flic.kr/p/0OIl", "https://flic.kr/s/FPVo9U", "https://flic.kr/p/"]
)
def test_a_short_address_of_something_else_names_no_photo(address):
    assert target_of(address) is None


def test_a_table_gives_the_file_and_the_community_too(tmp_path):
    table = text(
        tmp_path / "ids.csv",
        "note,id,url,community",
        f"a,11,{FILE.format(11)},awe",
        "b,12,,fear",
        "c,13,,",
        f"d,{FILE.format(14)},,awe",
    )
    lists = read_ids([table])
    assert [(one.photo_id, one.url, one.community) for one in lists.photos.values()] == [
        ("11", FILE.format(11), "awe"),
        ("12", None, "fear"),
        ("13", None, "photos"),
        ("14", FILE.format(14), "awe"),
    ]
    assert lists.communities == ["awe", "fear", "photos"]


def test_bad_rows_are_named_by_their_line_and_the_others_are_read(tmp_path):
    table = text(
        tmp_path / "ids.csv",
        "id,url",
        "11,",
        "reddit:3svmej,",
        "12,http://x.example/12.jpg",
        "13",
        f"14,{FILE.format(15)}",
    )
    lists = read_ids([table, text(tmp_path / "more.txt", "16", "no id")])
    assert list(lists.photos) == ["11", "16"]
    assert [(one.reason, one.detail) for one in lists.rejected] == [
        ("no_flickr_photo", "ids.csv, line 3: 'reddit:3svmej' is not a Flickr photo"),
        ("no_flickr_photo", "ids.csv, line 4: 'http://x.example/12.jpg' is not a Flickr photo"),
        ("bad_row", "ids.csv, line 5: 1 column, not 2 as in the header: '13'"),
        ("bad_row", f"ids.csv, line 6: '{FILE.format(15)}' is another photo than '14'"),
        ("no_flickr_photo", "more.txt, line 2: 'no id' is not a Flickr photo"),
    ]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        (
            "a.csv",
            ["post_id,url", "flickr:11,"],
            "'{path}' has no column 'id'; it has 'post_id', 'url': name the column of the ids 'id', or "
            "give a text file of ids",
        ),
        ("a.txt", ["x"], "no row of --ids '{path}' gives a photo: a.txt, line 1: 'x' is not a Flickr photo"),
        ("a.txt", [], "--ids '{path}': no list holds a row"),
        ("a.csv", ["id"], "--ids '{path}': no list holds a row"),
    ],
)
def test_a_list_that_gives_no_photo_is_refused(tmp_path, name, lines, message):
    path = text(tmp_path / name, *lines)
    with pytest.raises(InputError) as caught:
        read_ids([path])
    assert str(caught.value) == message.format(path=path)


@pytest.mark.slow
def test_listed_photos_are_collected_and_later_votes_give_them_their_community(capsys, tmp_path, sandbox):
    public = [photo for photo in FlickrCorpus(0, 600).photos.values() if photo.fate == "public"][:3]
    gone = next(photo for photo in FlickrCorpus(0, 600).photos.values() if photo.fate == "not_found")
    listed = text(tmp_path / "ids.txt", *(str(photo.id) for photo in [*public, gone]), "nothing")
    place = ["--sandbox-url", sandbox, "--store", str(tmp_path / "s")]
    assert main(["--ids", str(listed), *place]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:2] == ["posts   asked 5 = 4 new + 1 no flickr photo", "        photos 4"]
    assert err.startswith(
        "warning: ids.txt, line 5: 'nothing' is not a Flickr photo: left out (no flickr photo)\n"
    )
    assert rows(tmp_path / "s", "select count(*) from media where status = 'stored'") == [(3,)]
    assert rows(tmp_path / "s", "select distinct votes, label from posts") == [("{}", None)]
    assert rows(tmp_path / "s", "select post_id from posts where removed = 'not_found'") == [
        (f"flickr:{gone.id}",)
    ]
    table = text(tmp_path / "awe.csv", f"0,{FILE.format(public[0].id)},1,4")
    assert main(["--votes", str(table), *place]) == 0
    assert main(["--ids", str(listed), *place]) == 0
    kept = dict(rows(tmp_path / "s", "select post_id, community from posts"))
    assert kept.pop(f"flickr:{public[0].id}") == "awe"
    assert set(kept.values()) == {"photos"}
