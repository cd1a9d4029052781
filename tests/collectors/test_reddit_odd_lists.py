"""What lists hold besides regular rows: each is read, or counted with its reason."""

import tracemalloc

import pytest

from affectory.core.errors import InputError
from collectors.reddit.index import Row, rows
from collectors.store.record import Rejection
from tests.collectors.reddit_runs import HEADER, index, posts_of


def table(path, *rows):
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def row(number, title="A title", ups="5", created="1349741234", comments="2"):
    return f"1{number:04},t3_1{number:04},http://i.imgur.com/{number:07}.jpg,{ups},0,{created},{title},,happy,{comments},a"


UNCLOSED = "a cell begins with a quote and doesn't end with one"


def found_in(*paths):
    """Return the ids and titles of lists' posts, and their rejected rows."""
    pages, _ = index(list(paths), ["happy"])
    posts = [(p.post_id.removeprefix("reddit:1"), p.title) for p in posts_of(pages)]
    return posts, [(r.reason, r.detail) for page in pages for r in page.rejected]


@pytest.mark.parametrize("rows_after", [3, pytest.param(4000, marks=pytest.mark.slow)])
def test_an_unclosed_quote_costs_its_row_alone(tmp_path, rows_after):
    rows = [row(n) for n in range(rows_after)]
    path = table(tmp_path / "x.csv", row(9000), row(9001, title='"Home, at last'), *rows)
    posts, rejected = found_in(path)
    assert posts == [(f"{n:04}", "A title") for n in (9000, *range(rows_after))]
    assert rejected == [("unclosed_quote", f"x.csv, line 3: {UNCLOSED}")]


def test_two_unclosed_quotes_cost_two_rows(tmp_path):
    titles = {2: '"title 2', 6: '"title 6'}
    path = table(tmp_path / "x.csv", *(row(n, title=titles.get(n, f"title {n}")) for n in range(1, 9)))
    posts, rejected = found_in(path)
    assert posts == [(f"{n:04}", f"title {n}") for n in (1, 3, 4, 5, 7, 8)]
    assert rejected == [("unclosed_quote", f"x.csv, line {n}: {UNCLOSED}") for n in (3, 7)]


@pytest.mark.parametrize("last", [3, 6])
def test_rows_between_a_quote_that_opens_and_one_that_closes_are_no_title(tmp_path, last):
    titles = {2: '"title 2', last: f'title {last}"'}
    path = table(tmp_path / "x.csv", *(row(n, title=titles.get(n, f"title {n}")) for n in range(1, 9)))
    posts, rejected = found_in(path)
    assert [own_id for own_id, _ in posts] == ["0001", *(f"{n:04}" for n in range(last + 1, 9))]
    assert rejected == [
        (
            "unclosed_quote",
            f"x.csv, line {line}: lines 3 to {last + 1} look like a row each, so a quote isn't closed",
        )
        for line in range(3, last + 2)
    ]


def test_rows_up_to_the_next_quote_are_read(tmp_path):
    rows = [
        row(1, title='"Home'),
        row(2),
        row(3, title='"Home, at last"'),
        row(4, title='5" tall'),
        row(5, title='"two\nlines"'),
        row(6, title='"Home" at last'),
    ]
    posts, rejected = found_in(table(tmp_path / "x.csv", *rows))
    assert posts == [
        ("0002", "A title"),
        ("0003", "Home, at last"),
        ("0004", '5" tall'),
        ("0005", "two\nlines"),
    ]
    assert rejected == [("unclosed_quote", f"x.csv, line {n}: {UNCLOSED}") for n in (2, 8)]


def test_a_header_with_an_unclosed_quote_is_an_error(tmp_path):
    (tmp_path / "x.csv").write_text('id,"title,url,subreddit\n1a,a,b,c\n')
    with pytest.raises(InputError, match=r"x\.csv', line 1: a cell begins with a quote and doesn't end with"):
        index([tmp_path / "x.csv"], ["happy"])


@pytest.mark.slow
def test_a_byte_that_is_not_utf_8_costs_its_row_alone(tmp_path):
    path = table(tmp_path / "x.csv", *(row(n) for n in range(3000)))
    path.write_bytes(path.read_bytes().replace(b"t3_12500,", b"t3_12500\xe9,"))
    posts, rejected = found_in(path)
    assert posts == [(f"{n:04}", "A title") for n in range(3000) if n != 2500]
    assert rejected == [("unreadable_line", "x.csv, line 2502: byte 0xe9 is not UTF-8")]


def test_a_list_of_ids_loses_the_lines_that_cannot_be_read(tmp_path):
    long = b"a1b2" + b"c" * (1 << 24) + b"\n"
    (tmp_path / "x.txt").write_bytes(
        b"\xef\xbb\xbfa1b2\r\ncaf\xe9\n# caf\xe9\n\n" + long + b"t3_a1b3\rzw\xc3\xb6lf"
    )
    assert list(rows(tmp_path / "x.txt")) == [
        Row("x.txt, line 1", {"id": "a1b2"}),
        Rejection("unreadable_line", "x.txt, line 2: byte 0xe9 is not UTF-8"),
        Rejection("unreadable_line", "x.txt, line 5: longer than 16,777,216 characters"),
        Row("x.txt, line 6", {"id": "a1b3"}),
        Rejection("no_id", "x.txt, line 7: 'zwölf'"),
    ]


@pytest.mark.slow
def test_a_list_of_one_long_line_is_read_in_bounded_memory(tmp_path):
    with (tmp_path / "x.txt").open("wb") as file:
        file.truncate(1 << 27)
    tracemalloc.start()
    try:
        found = list(rows(tmp_path / "x.txt"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()
    assert [one.reason for one in found] == ["unreadable_line"]


def test_numbers_are_read_as_spreadsheets_write_them(tmp_path):
    rows = [row(1, ups="259.0", created="1432086938.5"), row(2, ups='"1,234"', comments=" 19 ")]
    pages, _ = index([table(tmp_path / "x.csv", *rows)], ["happy"])
    found = [(p.score, p.created_at, p.num_comments) for p in posts_of(pages)]
    assert found == [(259, 1432086938, 2), (1234, 1349741234, 19)]
    assert [note for page in pages for note in page.notes] == []


def test_a_number_that_cannot_be_read_is_counted_and_the_post_kept(tmp_path):
    rows = [row(1, ups="many", created=""), row(2, ups="1.2E+03"), row(3, created="N/A", comments="-")]
    pages, _ = index([table(tmp_path / "x.csv", *rows)], ["happy", "rage"])
    assert [p.score for p in posts_of(pages)] == [None, None, 5]
    assert [note for page in pages for note in page.notes] == [
        "unreadable ups: 2, the first is 'many' of reddit:10001; without it the post is kept",
        "unreadable num_comments: 1, the first is '-' of reddit:10003; without it the post is kept",
    ]
