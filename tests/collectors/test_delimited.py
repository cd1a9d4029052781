"""Tables that Python's csv module writes are read back; wrong quotes cost the rows that have them."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from affectory.core.errors import InputError
from collectors import delimited
from collectors.bounded_lines import bounded_lines
from collectors.delimited import cells
from collectors.store.record import Rejection

CHARACTERS = st.characters(exclude_categories=["Cs"])
PIECES = st.sampled_from(['"', '""', ",", ", ", "\n", "\r", "a", "b", " ", "1,2,3\n", "\u2028", "\0"])
TEXTS = st.one_of(st.text(CHARACTERS), st.lists(PIECES).map("".join))


def tables(texts):
    """Tables of up to five columns."""
    return st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(texts, min_size=n, max_size=n)))


def written(rows, **dialect):
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


def read(text, **options):
    return list(cells(io.StringIO(text, newline=""), Path("x.csv"), **options))


@given(
    tables(TEXTS.filter(lambda text: "\r\n" not in text)), st.sampled_from([0, 1]), st.sampled_from(",;\t")
)
@example([["1", "x\n2,y\n3,z\n4,a\n5,b\n6,c"]], csv.QUOTE_MINIMAL, ",")
@example([["0", '5" tall', "two\nlines"], ["", "", '"']], csv.QUOTE_MINIMAL, ",")
def test_a_table_of_the_csv_module_is_read_back(rows, quoting, delimiter):
    found = read(written(rows, quoting=quoting, delimiter=delimiter), delimiter=delimiter)
    assert [values for _, values in found] == rows


@given(tables(st.lists(PIECES.filter(lambda piece: "\r" not in piece)).map("".join)))
@example([["1", "x\n2,y\n3,z\n4,a\n5,b\n6,c"]])
def test_a_row_is_read_back_or_rejected_and_the_next_one_read(rows):
    """As above, where line ends don't tell rows from the lines of a cell."""
    end = ["end"] * len(rows[0]) if rows else ["end"]
    found = read(written([*rows, end], lineterminator="\n"))
    left = list(rows)
    for _, values in found[:-1]:
        if isinstance(values, list):
            while left[0] != values:  # a rejected row
                assert sum(text.count(",") for text in left.pop(0)) >= delimited.CHANCE
            left.pop(0)
    assert all(sum(text.count(",") for text in row) >= delimited.CHANCE for row in left)
    assert found[-1][1] == end


@given(st.text('ab", \n'))
def test_every_line_is_part_of_a_row_or_rejected(text):
    lines = text.splitlines()
    seen = [first for first, _ in read(text)]
    assert seen == sorted(set(seen))
    assert set(range(1, len(lines) + 1)) >= set(seen) >= {1} & set(range(1, len(lines) + 1))


@pytest.mark.parametrize("columns", [2, 5])
def test_lines_of_prose_with_as_many_commas_as_a_row_are_a_text(columns):
    rows = [["1", *["x"] * (columns - 2), "well, no\nyes, sure\nbye, now\nin, out\nup, down"]]
    assert [values for _, values in read(written(rows, lineterminator="\n"))] == rows


def test_lines_like_rows_are_rejected_one_by_one():
    text = 'id,a,b\n1,"x,y\n2,x,y\n3,x",y\n4,x,y\n'
    why = "lines 2 to 4 look like a row each, so a quote isn't closed"
    assert read(text) == [
        (1, ["id", "a", "b"]),
        *((line, Rejection("unclosed_quote", why)) for line in (2, 3, 4)),
        (5, ["4", "x", "y"]),
    ]


@pytest.mark.slow
def test_an_unclosed_quote_above_16_mb_costs_its_row_alone():
    found = read('id,text\n1,"x\n' + f"2,{'y' * (1 << 20)}\n" * 17)
    assert [first for first, _ in found] == list(range(1, 20))
    assert [first for first, values in found if isinstance(values, Rejection)] == [2]


def test_a_line_that_is_too_long_is_rejected_and_the_next_one_read(monkeypatch):
    def short(file):
        return bounded_lines(file, 10)

    monkeypatch.setattr(delimited, "bounded_lines", short)
    long = Rejection("unreadable_line", "longer than 16,777,216 characters")
    unclosed = Rejection("unclosed_quote", "a cell begins with a quote and doesn't end with one")
    text = 'a,b\n1,xxxxxxxxxxxxxxxxxxxxx\n2,"x\n3,y\n4,xxxxxxxxxxxxxxxxxxxxx\n5,z\n'
    assert read(text) == [
        (1, ["a", "b"]),
        (2, long),
        (3, unclosed),
        (4, ["3", "y"]),
        (5, long),
        (6, ["5", "z"]),
    ]


def test_quotes_that_would_be_read_for_ever_are_an_error(monkeypatch):
    monkeypatch.setattr(delimited, "READ_AGAIN", 1000)
    with pytest.raises(InputError) as caught:
        read('a","\n' * 200)
    assert str(caught.value) == "'x.csv', line 3: too many quotes aren't closed up to here; close them"


@given(st.lists(st.sampled_from(["", "a", "bcd", "efgh", "ijklm", "nopqrstuvwxyz"])))
def test_lines_are_read_up_to_their_bound(texts):
    text = "".join(f"{line}\n" for line in texts)
    expected = [f"{line}\n" if len(line) < 4 else None for line in texts]
    assert list(bounded_lines(io.StringIO(text, newline=""), 5)) == expected
    in_bytes = [None if line is None else line.encode() for line in expected]
    assert list(bounded_lines(io.BytesIO(text.encode()), 5)) == in_bytes
