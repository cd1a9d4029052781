"""Flickr's answers, in XML and in JSON, and what of them is kept."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.flickr import answers
from collectors.flickr.answers import BadKey, FlickrError, Malformed, NotFound, Photo, Private, Unavailable
from collectors.flickr.licences import licence
from collectors.flickr.listed import CONFLICT, Listed, listed_of
from collectors.flickr.post import answered, bare, gone, listed_anew, plain_text, post_of
from collectors.flickr.urls import target_of
from collectors.store.record import Media

PHOTO = Photo(
    "53248070597", "65535", "91aed2326c", "1@N00", 4, "A title", "Words", ("a",), 1_600_000_000, safety=0
)

XML = b"""<?xml version="1.0" encoding="utf-8" ?>
<rsp stat="ok"><photo id="53248070597" secret="91aed2326c" server="65535" license="4" safety_level="2"
dateuploaded="1600000000" media="photo"><owner nsid="1@N00" username="A name" />
<dates posted="1600000000" taken="2012-08-06 15:04:02" takengranularity="0" takenunknown="0" lastupdate="1" />
<title>G &amp; C</title><description>&lt;b&gt;Two&lt;/b&gt; words</description><comments>3</comments>
<tags><tag raw="New York">newyork</tag></tags></photo></rsp>"""

JSON = json.dumps(
    {
        "stat": "ok",
        "photo": {
            "id": "53248070597",
            "secret": "91aed2326c",
            "server": "65535",
            "license": 4,
            "safety_level": 2,
            "dateuploaded": "1600000000",
            "dates": {"taken": "2012-08-06 15:04:02", "takengranularity": 0, "takenunknown": "0"},
            "owner": {"nsid": "1@N00", "username": "A name"},
            "title": {"_content": "G & C"},
            "description": {"_content": "<b>Two</b> words"},
            "comments": {"_content": 3},
            "tags": {"tag": [{"raw": "New York", "_content": "newyork"}]},
        },
    }
).encode()


@pytest.mark.parametrize("body", [XML, JSON, b"\xef\xbb\xbf " + JSON])
def test_a_photo_is_the_same_in_xml_and_in_json(body):
    assert answers.photo(answers.decode(body)) == Photo(
        photo_id="53248070597",
        server="65535",
        secret="91aed2326c",
        owner="1@N00",
        licence=4,
        title="G & C",
        description="<b>Two</b> words",
        tags=("New York",),
        uploaded=1_600_000_000,
        taken="2012-08-06 15:04:02",
        safety=2,
        comments=3,
    )


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (1, 'Photo "1" not found (invalid ID)', NotFound),
        (1, "Required parameter missing", Malformed),
        (2, "Permission denied", Private),
        (99, "Insufficient permissions. Method requires read privileges; none granted.", Malformed),
        (100, "Invalid API Key (Key has invalid format)", BadKey),
        (105, "Service currently unavailable", Unavailable),
        (201, "Sorry, the Flickr API service is not currently available.", Unavailable),
        (112, 'Method "x" not found', Malformed),
    ],
)
def test_a_failure_is_one_named_error_in_either_form(code, message, error):
    as_json = json.dumps({"stat": "fail", "code": code, "message": message})
    quoted = message.replace('"', "&quot;")
    as_xml = f'<rsp stat="fail"><err code="{code}" msg="{quoted}" /></rsp>'
    for body in (as_json, as_json + ",", as_xml):
        with pytest.raises(FlickrError) as caught:
            answers.decode(body.encode())
        assert type(caught.value) is error
        assert str(caught.value) == f"Flickr says {message!r} (code {code})"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Sign in to the hotel's network</body></html>",
        b"<rsp stat='ok'><photo",
        b'{"stat": "maybe"}',
        b"[1, 2]",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"stat": "ok"}',
        b'{"stat": "ok", "photo": {"id": "1", "secret": "a", "server": "2"}}',
        b'{"stat": "ok", "photo": {"id": "../1", "secret": "a", "server": "2", "license": 0}}',
        b'{"stat": "ok", "photo": {"id": "1", "secret": "a/b", "server": "2", "license": 0}}',
    ],
)
def test_anything_else_is_malformed(body):
    with pytest.raises(Malformed):
        answers.photo(answers.decode(body))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f'{{"stat":"ok",{text}'.encode()))
def test_no_bytes_raise_anything_but_flickrs_errors(body):
    try:
        answers.photo(answers.decode(body))
    except FlickrError as error:
        assert error.reason.islower()


def test_a_search_gives_whole_photos_and_counts_what_is_none():
    entry = {"id": "1", "owner": "1@N00", "secret": "a1", "server": "2", "license": "0", "dateupload": "1600"}
    entry |= {"datetaken": "2006-08-01 00:00:00", "datetakengranularity": "4", "datetakenunknown": "0"}
    entry |= {"title": "A cat", "description": {"_content": "Two cats"}, "tags": "cat newyork cat"}
    page = {"stat": "ok", "photos": {"page": 1, "pages": 3, "photo": [entry, {"id": "2"}]}}
    found = answers.found(answers.decode(json.dumps(page).encode()))
    assert (found.pages, found.unreadable, len(found.photos)) == (3, 1, 1)
    assert found.photos[0] == Photo(
        "1", "2", "a1", "1@N00", 0, "A cat", "Two cats", ("cat", "newyork"), 1600, "2006-08"
    )


@pytest.mark.parametrize(
    ("said", "granularity", "unknown", "taken"),
    [
        ("2012-08-06 15:04:02", "0", "0", "2012-08-06 15:04:02"),
        ("2012-08-01 00:00:00", "4", "0", "2012-08"),
        ("2012-01-01 00:00:00", "6", "0", "2012"),
        ("1912-01-01 00:00:00", "8", "0", "1912"),  # "circa 1912"
        ("1912-01-01 00:00:00", "10", "0", "1912"),
        ("0000-01-01 00:00:00", "6", "0", None),
        ("2015-08-28 14:30:15", "0", "1", None),
        ("yesterday", "0", "0", None),
        ("", "", "", None),
    ],
)
def test_when_a_photo_was_taken_is_no_more_exact_than_flickr_knows(said, granularity, unknown, taken):
    raw = json.loads(JSON)
    raw["photo"]["dates"] = {"taken": said, "takengranularity": granularity, "takenunknown": unknown}
    assert answers.photo(raw).taken == taken


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        (
            '<b>Maker:</b> Atget\n\n<a href="http://x.example/?a=1&amp;b=2" rel="nofollow">x</a>',
            "Maker: Atget\n\nx",
        ),
        ("Tom &amp; Jerry &quot;at&quot; home&#039;s", 'Tom & Jerry "at" home\'s'),
        ("one<br />two<br/>three", "one\ntwo\nthree"),
        ("<p>one</p>two", "one\ntwo"),
        ("I <3 you & 1 < 2", "I <3 you & 1 < 2"),
        ("a \xa0 b\t c \n\n\n\n d", "a b c\n\nd"),
        ("", ""),
    ],
)
def test_a_description_loses_its_markup_and_keeps_its_words(markup, text):
    assert plain_text(markup) == text


@given(st.text(alphabet="ab <>&;\n/\"'=!-?", max_size=60))
def test_no_description_raises(markup):
    assert "\n\n\n" not in plain_text(markup)


@pytest.mark.parametrize(
    ("text", "photo_id", "url"),
    [
        (
            "http://farm9.static.flickr.com/8383/8674318733_0f4c8d1f5d_z.jpg",
            "8674318733",
            "https://live.staticflickr.com/8383/8674318733_0f4c8d1f5d_z.jpg",
        ),
        (
            "https://c2.staticflickr.com/9/8383/8674318733_0f4c8d1f5d.jpg",
            "8674318733",
            "https://live.staticflickr.com/8383/8674318733_0f4c8d1f5d.jpg",
        ),
        (
            "http://static.flickr.com/12/345_abc_o.png",
            "345",
            "https://live.staticflickr.com/12/345_abc_o.png",
        ),
        ("https://www.flickr.com/photos/a-user/8674318733/in/album-72157/", "8674318733", None),
        (" 8674318733 ", "8674318733", None),
        ("https://www.flickr.com/photo.gne?id=8674318733", "8674318733", None),
    ],
)
def test_a_photo_is_known_by_its_file_its_page_and_its_id(text, photo_id, url):
    assert target_of(text) == (photo_id, url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://farm9.static.flickr.com/",
        "http://farm9.static.flickr.com.evil.example/8383/8674318733_0f4c8d1f5d.jpg",
        "http://evilstaticflickr.com/8383/8674318733_0f4c8d1f5d.jpg",
        "http://i.imgur.com/x05uPhi.jpg",
        "https://www.flickr.com/photos/a-user/",
        "ftp://live.staticflickr.com/8383/8674318733_0f4c8d1f5d.jpg",
        "http://[half",
        "٣٤٥",
        "1" * 21,
    ],
)
def test_another_address_is_no_photo(text):
    assert target_of(text) is None


def test_a_photo_becomes_a_post_with_its_licence_and_the_votes():
    listed = Listed("53248070597", "https://live.staticflickr.com/65535/1_a_z.jpg", {"awe": 4, "fear": 1}, 5)
    post = post_of(PHOTO, listed, b"key")
    assert (post.post_id, post.source, post.community) == ("flickr:53248070597", "flickr", "awe")
    assert (post.votes, post.votes_total, post.label) == ({"awe": 4, "fear": 1}, 5, None)
    assert (post.licence, post.licence_url) == ("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/")
    assert post.permalink == "https://www.flickr.com/photo.gne?id=53248070597"
    assert post_of(replace(PHOTO, taken="2012-08"), listed, b"key").taken == "2012-08"
    assert post.media == (Media("https://live.staticflickr.com/65535/1_a_z.jpg", 0, "flickr_photo"),)
    assert answered(post)


@pytest.mark.parametrize(("safety", "over_18"), [(None, None), (0, False), (1, True), (2, True)])
def test_moderate_and_restricted_photos_are_flagged(safety, over_18):
    assert post_of(replace(PHOTO, safety=safety), Listed("1", votes={"awe": 4}), b"key").over_18 is over_18


def test_a_film_is_no_image():
    media = post_of(replace(PHOTO, is_video=True), Listed("1", votes={"awe": 4}), b"key").media
    assert [(medium.kind, medium.status, medium.reason) for medium in media] == [
        ("video", "not_image", "video")
    ]


def test_a_photo_that_is_gone_is_kept_with_the_reason_and_has_no_image_to_fetch():
    post = gone(Listed("1", "https://live.staticflickr.com/2/1_a.jpg", {"awe": 4}, 5), "not_found")
    assert (post.removed, post.media) == ("not_found", ())
    assert answered(post)


def test_a_photo_of_which_only_the_list_is_known_is_still_to_be_asked_for():
    assert not answered(bare(Listed("1", "https://live.staticflickr.com/2/1_a.jpg", {"awe": 4}, 5)))


def test_a_licence_that_flickr_has_added_since_is_named_by_its_number():
    assert licence(17) == ("Flickr licence 17", None)


VOTES = st.dictionaries(st.sampled_from(["awe", "fear", "anger"]), st.integers(0, 9), min_size=1)


@given(VOTES, VOTES)
def test_votes_of_two_lists_are_merged_and_the_later_stands(first, second):
    merged = Listed("1", votes=first, votes_total=10).and_then(Listed("1", votes=second, votes_total=20))
    assert merged.votes == {**first, **second}
    best = max(merged.votes.values())
    assert merged.votes[merged.community] == best
    assert merged.votes_total == (20 if merged.community in second else 10)


def test_pairs_of_both_signs_are_a_conflict_which_stays_one():
    good = Listed("1", pairs=("funny_cat",), sentiment="positive")
    bad = Listed("1", pairs=("sad_cat",), sentiment="negative")
    assert good.and_then(replace(good, pairs=("calm_sea",))).sentiment == "positive"
    conflict = good.and_then(bad)
    assert (conflict.sentiment, conflict.pairs) == (CONFLICT, ("funny_cat", "sad_cat"))
    stored = listed_anew(bare(good), conflict)
    assert stored.removed == CONFLICT
    assert listed_of(stored).and_then(good).sentiment == CONFLICT
