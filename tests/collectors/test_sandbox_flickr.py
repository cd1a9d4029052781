"""The sandbox's Flickr answers as the real one does."""

import json
import urllib.error
import urllib.request
from collections import Counter

import pytest

from collectors.flickr import answers
from collectors.flickr.answers import FlickrError
from collectors.flickr.votes import read_votes
from collectors.flickr.vso import read_pairs
from collectors.sandbox import running
from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from collectors.sandbox.generated.flickr_words import texts
from collectors.sandbox.own_lists import fetch_lists
from tests.conftest import SHARED

REST = "/api.flickr.com/services/rest/?api_key=x&method=flickr.photos."


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def photos(fate="public"):
    return [photo for photo in FlickrCorpus(0, 600).photos.values() if photo.fate == fate]


@pytest.mark.parametrize(
    "query", [f"getInfo&photo_id={photos()[0].id}", f"getSizes&photo_id={photos()[0].id}", "search&text=cat"]
)
def test_an_answer_is_the_same_in_xml_and_in_json(sandbox, query):
    _, xml_type, xml = get(f"{sandbox}{REST}{query}")
    _, json_type, as_json = get(f"{sandbox}{REST}{query}&format=json&nojsoncallback=1")
    assert (xml_type, json_type) == ("text/xml; charset=utf-8", "application/json; charset=utf-8")
    parse = {"getInfo": answers.photo, "getSizes": answers.sizes, "search": answers.found}
    read = parse[query.partition("&")[0]]
    assert read(answers.decode(xml)) == read(answers.decode(as_json))


def test_an_answer_has_the_elements_of_a_recorded_one(sandbox):
    path = SHARED / "flickr_api" / "recorded.jsonl"
    if not path.is_file():
        pytest.skip("needs the recorded exchanges (../shared/data)")
    recorded = [json.loads(line)["body"] for line in path.read_text(encoding="utf-8").splitlines()]
    for method, mark in (("getInfo", "<photo "), ("getSizes", "<sizes ")):
        real = answers.decode(next(body for body in recorded if mark in body).encode())
        ours = answers.decode(get(f"{sandbox}{REST}{method}&photo_id={photos()[0].id}")[2])
        name = mark[1:-1]
        assert set(ours) == set(real)
        assert set(ours[name]) <= set(real[name])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("getInfo&photo_id=1", "not_found"),
        (f"getInfo&photo_id={photos('not_found')[0].id}", "not_found"),
        (f"getSizes&photo_id={photos('private')[0].id}", "private"),
        ("getInfo&photo_id=1&api_key=wrong", "bad_key"),
        ("getNothing", "malformed_answer"),
    ],
)
def test_a_failure_comes_with_status_200_and_its_code(sandbox, query, reason):
    rest = REST.replace("api_key=x&", "") if "api_key" in query else REST
    for form in ("", "&format=json"):
        status, _, body = get(f"{sandbox}{rest}{query}{form}")
        assert status == 200
        with pytest.raises(FlickrError) as caught:
            answers.decode(body)
        assert caught.value.reason == reason


def test_a_file_is_served_in_its_sizes_and_what_is_gone_leads_to_the_placeholder(sandbox):
    photo, replaced = photos()[0], photos("replaced")[0]
    file = f"{sandbox}/live.staticflickr.com/{photo.server}/{photo.id}_{photo.secret}"
    small, large = get(f"{file}_m.jpg"), get(f"{file}.jpg")
    assert (small[:2], large[:2]) == ((200, "image/jpeg"), (200, "image/jpeg"))
    assert len(small[2]) < len(large[2])

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *arguments):
            return None

    old = f"{sandbox}/live.staticflickr.com/{replaced.server}/{replaced.id}_{replaced.listed_secret}_n.jpg"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(Stay).open(old, timeout=10)
    location = caught.value.headers["Location"]
    caught.value.close()
    assert (caught.value.code, location) == (302, "https://s.yimg.com/pw/images/en-us/photo_unavailable.png")


def test_the_sandboxs_lists_are_read_without_a_bad_row(sandbox, tmp_path):
    lists = read_votes(fetch_lists(sandbox, tmp_path))
    assert (len(lists.photos), lists.rejected) == (600, [])
    assert lists.communities[0] == "amusement" and len(lists.communities) == 8
    pairs, of_pairs = read_pairs(tmp_path / "pairs.txt")
    assert (len(pairs), of_pairs.rejected) == (96, [])
    assert get(f"{sandbox}/~lists/nothing.csv")[0] == 404


@pytest.mark.slow
def test_calls_are_counted_by_photo_and_without_the_key():
    with running(posts=3) as base:
        get(f"{base}{REST}getInfo&photo_id=7&format=json")
        counted = json.loads(get(f"{base}/~stats")[2])["by_path"]
    assert counted == {"/api.flickr.com/services/rest/ flickr.photos.getInfo 7": 1}


@pytest.mark.slow
def test_photos_are_the_same_for_the_same_seed_and_most_are_public():
    assert FlickrCorpus(3, 50).photos == FlickrCorpus(3, 50).photos != FlickrCorpus(4, 50).photos
    fates = Counter(photo.fate for photo in FlickrCorpus(0, 5000).photos.values())
    assert len(FlickrCorpus(0, 5000).photos) == 5000
    assert 0.85 < fates["public"] / 5000 < 0.91
    assert set(fates) == {"public", "not_found", "private", "replaced", "lost"}


def test_descriptions_come_in_html():
    import random

    found = [texts("funny", "cat", "1@N00", random.Random(seed))[1] for seed in range(60)]
    assert any("<a href=" in text for text in found)
    assert any("&quot;" in text for text in found)
    assert "" in found
