"""Every recorded Flickr exchange is a photo, its sizes, or the error that it is (../shared/data)."""

import json
from collections import Counter
from functools import cache
from urllib.parse import parse_qs, urlsplit

import pytest

from collectors.flickr import answers
from collectors.flickr.answers import FlickrError
from collectors.flickr.licences import LICENCES
from collectors.flickr.listed import Listed
from collectors.flickr.post import post_of
from collectors.http import answers as http
from collectors.store.record import author_hash
from tests.conftest import SHARED

RECORDED = SHARED / "flickr_api" / "recorded.jsonl"
pytestmark = pytest.mark.skipif(not RECORDED.is_file(), reason="no recorded exchanges here (../shared/data)")


@cache
def recorded():
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


def method_of(exchange):
    return parse_qs(urlsplit(exchange["url"]).query).get("method", ["a file"])[0].removeprefix("flickr.")


def meaning(exchange):
    """Return what an exchange is to us: `photo`, `sizes`, `licences`, or an error's reason."""
    if exchange["status"] != 200:
        answer = http.Answer(exchange["url"], exchange["status"], exchange["headers"], b"")
        return http.failure(answer).reason
    try:
        answer = answers.decode(exchange["body"].encode())
    except FlickrError as error:
        return error.reason
    if "licenses" in answer:
        return "licences"
    if "sizes" in answer:
        assert answers.sizes(answer)
        return "sizes"
    return "photo" if answers.photo(answer) else "nothing"


def test_every_exchange_is_its_photo_or_its_error():
    found = Counter((method_of(exchange), meaning(exchange)) for exchange in recorded())
    assert found == {
        ("photos.getInfo", "photo"): 42,
        ("photos.getInfo", "not_found"): 7,
        ("photos.getInfo", "unavailable"): 13,  # seven of them JSON with a comma behind it, to calls for XML
        ("photos.getInfo", "server_error"): 7,
        ("photos.getSizes", "sizes"): 40,
        ("photos.getSizes", "not_found"): 3,
        ("photos.licenses.getInfo", "licences"): 45,
        ("photos.comments.getList", "not_found"): 3,
        ("photos.getAllContexts", "not_found"): 4,
        ("photos.getExif", "not_found"): 3,
        ("photos.licenses.getLicenseHistory", "not_found"): 3,
        ("galleries.getListForPhoto", "malformed_answer"): 2,  # "Required parameter missing"
        ("people.getInfo", "bad_key"): 8,
        ("profile.getProfile", "malformed_answer"): 1,  # "Invalid NSID provided"
        ("test.null", "malformed_answer"): 1,  # "Insufficient permissions"
        ("urls.lookupUser", "bad_key"): 1,
        ("a file", "not_found"): 1,
    }
    assert found.total() == 184


def test_our_licences_are_those_that_flickr_lists():
    exchange = next(one for one in recorded() if meaning(one) == "licences")
    listed = answers.decode(exchange["body"].encode())["licenses"]["license"]
    assert {int(one["id"]): (one["name"], one["url"]) for one in listed} == LICENCES


def photo(photo_id):
    exchange = next(
        one
        for one in recorded()
        if one["url"].endswith(f"getInfo&photo_id={photo_id}") and meaning(one) == "photo"
    )
    return answers.photo(answers.decode(exchange["body"].encode()))


def test_a_recorded_photo_becomes_a_post_without_its_owners_name():
    post = post_of(photo("52483149404"), Listed("52483149404", votes={"disgust": 4}, votes_total=5), b"key")
    assert (post.post_id, post.title, post.body) == (
        "flickr:52483149404",
        "Unko Museum Tokyo",
        "うんこミュージアム TOKYO",
    )
    assert post.tags[:3] == ("japan", "tokyo", "koto")
    assert "" not in post.tags
    assert (post.licence, post.licence_url) == (
        "CC BY 2.0",
        "https://creativecommons.org/licenses/by/2.0/",
    )
    assert (post.created_at, post.taken) == (1667800511, "2022-08-06 15:04:02")
    assert (post.over_18, post.num_comments) == (False, 0)
    assert [medium.url for medium in post.media] == [
        "https://live.staticflickr.com/65535/52483149404_9dd172d218.jpg"
    ]
    assert post.author == author_hash("flickr:31029865@N06", b"key")
    assert "31029865" not in repr(post)
    assert "Johnson" not in repr(post)


def test_recorded_photos_were_taken_when_flickr_knows():
    ids = ["52483149404", "2959326615", "20967567081"]
    # The second is of "about 1912"; of the third nothing is known but when it was posted.
    assert [photo(one).taken for one in ids] == ["2022-08-06 15:04:02", "1912", None]


def test_no_recorded_description_keeps_a_tag_or_an_entity():
    photos = [
        answers.photo(answers.decode(one["body"].encode())) for one in recorded() if meaning(one) == "photo"
    ]
    marked_up = [one for one in photos if "<" in one.description or "&" in one.description]
    assert len(marked_up) == 8
    for one in marked_up:
        body = post_of(one, Listed(one.photo_id, votes={"awe": 5}, votes_total=5), b"key").body
        assert not any(mark in body for mark in ("<a ", "<b>", "</", "&amp;", "&#039;", "&quot;"))
        assert body
