"""What a status, a header or a page means."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.http.answers import Answer, FetchError, failure, html_title, is_removed_page


def named(status):
    error = failure(Answer("https://i.redd.it/a.jpg", status, {}, b""))
    assert error.detail == f"HTTP {status}"
    marks = ("retry", "again", "gone", "host_failed")
    return error.reason, [mark for mark in marks if getattr(error, mark)]


@pytest.mark.parametrize(
    ("status", "reason", "marks"),
    [
        (204, "client_error", []),
        (304, "client_error", []),
        (400, "client_error", []),
        (401, "unauthorized", []),
        (403, "forbidden", []),
        (404, "not_found", ["gone"]),
        (408, "server_error", ["retry", "again", "host_failed"]),
        (410, "gone", ["gone"]),
        (418, "client_error", []),
        (429, "rate_limited", ["retry", "again"]),
        (451, "legally_unavailable", []),
        (500, "server_error", ["retry", "again", "host_failed"]),
        (503, "server_error", ["retry", "again", "host_failed"]),
        (522, "server_error", ["retry", "again", "host_failed"]),
    ],
)
def test_each_status_has_its_reason_and_class(status, reason, marks):
    assert named(status) == (reason, marks)


def test_an_error_says_its_reason_and_detail():
    assert str(FetchError("too_large", detail="over 3 bytes")) == "too_large: over 3 bytes"
    assert str(FetchError("noai")) == "noai"


def test_a_detail_can_be_kept_in_the_store():
    assert FetchError("bad_url", detail="http://\udcff.com/é").detail == "http://?.com/é"


def test_the_hosts_pictures_for_removed_are_known():
    for url in (
        "https://i.imgur.com/removed.png",
        "http://i.imgur.com/removed.png?1",
        "https://s.yimg.com/pw/images/en-us/photo_unavailable.png",
        "https://s.yimg.com/pw/images/photo_unavailable.gif",
        "https://s.yimg.com/pw/images/en-us/photo_not_available_l.png",
    ):
        assert is_removed_page(url)
    for url in (
        "https://i.imgur.com/x05uPhi.png",
        "https://i.redd.it/unremoved.png",
        "https://a.example/removed.png/x.png",
        "https://a.example/x.jpg?next=/removed.png",
    ):
        assert not is_removed_page(url)


def test_a_pages_title_stands_on_one_line():
    assert html_title(b"<HTML><Title lang=en>\n Sign in\tto  continue </TITLE>") == "Sign in to continue"
    assert html_title(b"<title>caf\xc3\xa9 \xff</title>") == "café \ufffd"
    assert html_title(b"<title>" + b"a" * 999 + b"</title>") == "a" * 200
    assert html_title(b"<p>no title") == html_title(b"") == html_title(b"<title>never closed") == ""


def test_ten_thousand_titles_that_never_close_take_no_time():
    for page in (b"<title>" * 10_000, b"<title" * 10_000):
        began = time.process_time()
        assert html_title(page) == ""
        assert time.process_time() - began < 1


@given(st.binary())
def test_no_page_raises(body):
    assert len(html_title(b"<title>" + body + b"</title>")) <= 200
