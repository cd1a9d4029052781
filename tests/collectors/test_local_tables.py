import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from affectory.core.errors import InputError
from collectors.local.encoding import encoding_of
from collectors.local.source import Local
from collectors.local.tables import open_table
from collectors.store.record import Rejection


def source(**more):
    return Local(tables=("t.csv",), id="id", title="text", **more)


def rows(path, columns=("id", "text"), **more):
    return list(open_table(path.parent, path.name, source(**more)).rows(columns))


def test_every_kind_of_table_gives_the_same_rows(tmp_path):
    found = [{"id": "1", "text": "I DON’T, “no”"}, {"id": "2", "text": "two\nlines"}, {"id": "3", "text": ""}]
    (tmp_path / "a.csv").write_text('id,x,text\n1,-,"I DON’T, “no”"\n2,-,"two\nlines"\n\n3,-,\n', "utf-8")
    (tmp_path / "a.tsv").write_text('id\ttext\n1\tI DON’T, “no”\n2\t"two\nlines"\n3\t\n', "utf-8")
    objects = [{"id": 1, "text": "I DON’T, “no”"}, {"id": 2, "text": "two\nlines"}, {"id": 3, "text": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects), "utf-8")
    pq.write_table(pa.Table.from_pylist(objects), tmp_path / "a.parquet")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        assert [row for _, row in rows(tmp_path / f"a.{kind}")] == found, kind


def test_a_row_says_on_which_line_it_stands(tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n1,"a\nb"\n2,c\n')
    assert [where for where, _ in rows(tmp_path / "a.csv")] == ["a.csv, line 2", "a.csv, line 4"]


def test_a_bad_row_is_refused_and_the_next_one_read(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,a,b\n2,c\n3\n")
    assert rows(tmp_path / "a.csv") == [
        ("a.csv, line 2", Rejection("wrong_number_of_columns", "3, the header has 2")),
        ("a.csv, line 3", {"id": "2", "text": "c"}),
        ("a.csv, line 4", Rejection("wrong_number_of_columns", "1, the header has 2")),
    ]
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2, "text": "c"}\n{"id"\n[]\n')
    found = rows(tmp_path / "a.jsonl")
    assert [row.reason if isinstance(row, Rejection) else row for _, row in found] == [
        {"id": "1", "text": ""},
        {"id": "2", "text": "c"},
        "unreadable_line",
        "unreadable_line",
    ]


UNCLOSED = (
    "a cell begins with a quote and doesn't end with one; for a table without quoting set quoted = false in "
    "[source.local]"
)


def test_an_unclosed_quote_costs_its_row_alone(tmp_path):
    (tmp_path / "a.tsv").write_text('id\ttext\n1\tyes\n2\t"Oh no\n3\tfine\n4\t"Oh\n')
    assert [row for _, row in rows(tmp_path / "a.tsv")] == [
        {"id": "1", "text": "yes"},
        Rejection("unclosed_quote", UNCLOSED),
        {"id": "3", "text": "fine"},
        Rejection("unclosed_quote", UNCLOSED),
    ]
    plain = [row["text"] for _, row in rows(tmp_path / "a.tsv", quoted=False)]
    assert plain == ["yes", '"Oh no', "fine", '"Oh']


def test_quotes_within_a_cell_without_quotes_are_characters(tmp_path):
    (tmp_path / "a.csv").write_text('id,size,text,x\n1,5" tall,"two\nlines",a\n')
    assert rows(tmp_path / "a.csv") == [("a.csv, line 2", {"id": "1", "text": "two\nlines"})]


def test_a_header_with_an_unclosed_quote_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text('id,"text\n1,a\n')
    with pytest.raises(InputError) as caught:
        rows(tmp_path / "a.csv")
    assert str(caught.value) == f"{str(tmp_path / 'a.csv')!r}, line 1: {UNCLOSED}"


def test_a_first_row_with_an_unclosed_quote_is_counted(tmp_path):
    (tmp_path / "a.csv").write_text('1,"a\n2,b\n')
    headless = source(columns=("id", "text"))
    found = open_table(tmp_path, "a.csv", headless, header=False).rows(("id", "text"))
    assert [row for _, row in found] == [Rejection("unclosed_quote", UNCLOSED), {"id": "2", "text": "b"}]


def test_a_line_of_json_lines_that_is_too_long_is_counted_and_the_next_one_read(tmp_path):
    with (tmp_path / "a.jsonl").open("w") as file:
        file.write('{"id": 1, "text": "a"}\n' + "x" * (1 << 24) + '\n{"id": 2, "text": "b"}')
    assert rows(tmp_path / "a.jsonl") == [
        ("a.jsonl, line 1", {"id": "1", "text": "a"}),
        ("a.jsonl, line 2", Rejection("unreadable_line", "longer than 16,777,216 characters")),
        ("a.jsonl, line 3", {"id": "2", "text": "b"}),
    ]


def text_with_latin_1(*texts):
    """A column of strings of which one may have bytes that are not UTF-8, as some writers leave them."""
    ends = pa.array([sum(map(len, texts[:n])) for n in range(len(texts) + 1)], pa.int32())
    return pa.Array.from_buffers(
        pa.string(), len(texts), [None, ends.buffers()[1], pa.py_buffer(b"".join(texts))]
    )


def test_a_value_of_parquet_that_cannot_be_read_costs_its_row_alone(tmp_path):
    texts = text_with_latin_1(b"a", b"caf\xe9", b"c", b"d")
    days = pa.array([1, 2, 10**9, None], pa.date32())
    pq.write_table(pa.table({"id": ["1", "2", "3", "4"], "text": texts, "day": days}), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet", ("id", "text", "day")) == [
        ("a.parquet, row 1", {"id": "1", "text": "a", "day": "1970-01-02"}),
        (
            "a.parquet, row 2",
            Rejection(
                "unreadable_value",
                "'utf-8' codec can't decode byte 0xe9 in position 3: unexpected end of data",
            ),
        ),
        (
            "a.parquet, row 3",
            Rejection("unreadable_value", "days=1000000000; must have magnitude <= 999999999"),
        ),
        ("a.parquet, row 4", {"id": "4", "text": "d", "day": ""}),
    ]


def test_an_image_of_parquet_with_an_unreadable_path_leaves_the_others(tmp_path):
    paths, images = text_with_latin_1(b"caf\xe9", b"b"), pa.array([b"one", b"two"])
    column = pa.StructArray.from_arrays([images, paths], ["bytes", "path"])
    pq.write_table(pa.table({"id": ["1", "2"], "image": column}), tmp_path / "a.parquet")
    table = open_table(tmp_path, "a.parquet", source())
    assert [found for _, found in table.images()] == [b"two"]
    assert [isinstance(row, Rejection) for _, row in table.rows(("id", "image"))] == [True, False]


def test_a_damaged_page_of_parquet_names_the_file(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {"id": [str(n) for n in range(5000)], "text": [f"text {n}" for n in range(5000)]}
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[1000:1500] = bytes(500)
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        rows(path)
    assert str(caught.value) == (
        f"{str(path)!r} is damaged (ZSTD decompression failed: Data corruption detected): get it again"
    )


def test_a_column_of_parquet_whose_name_is_not_utf_8_is_an_error(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["1"], "cafX": ["x"]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"cafX", b"caf\xe9"))
    with pytest.raises(InputError) as caught:
        rows(path)
    assert str(caught.value) == f"{str(path)!r} has a column whose name is not UTF-8: rename it"


def test_half_a_character_of_json_becomes_one_that_can_be_written(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "\\ud83d!"}\n')
    assert rows(tmp_path / "a.jsonl")[0][1]["text"] == "\ufffd!"


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("gb18030", "gb18030"),
    ],
)
def test_an_encoding_is_told_from_the_bytes(tmp_path, encoding, told):
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,IDON‘T 我\n".encode(encoding))
    assert encoding_of(path, None) == told
    assert rows(path)[0][1] == {"id": "1", "text": "IDON‘T 我"}


def test_western_text_is_not_taken_for_chinese(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,it’s naïve\n".encode("cp1252"))
    with pytest.raises(InputError) as caught:
        encoding_of(path, None)
    assert str(caught.value) == (
        f"{str(path)!r} is neither utf-8 (byte 12 is 0x92) nor gb18030 text (byte 12 is 0x92): "
        'name its encoding in [source.local], for example encoding = "cp1252"'
    )
    assert rows(path, encoding="cp1252")[0][1]["text"] == "it’s naïve"


def test_undecodable_text_says_the_encoding_that_was_tried(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n" + b"x" * 2_000_000 + b"\xff\n")
    with pytest.raises(InputError) as caught:
        rows(path, encoding="utf-8")
    assert str(caught.value) == (
        f"{str(path)!r} is not utf-8 text: byte 2,000,008 is 0xff; name another with encoding"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]))
@example(text="\0", encoding="utf-16")  # its first bytes are UTF-32's mark, too
def test_a_text_is_read_in_the_encoding_that_is_named(tmp_path_factory, text, encoding):
    path = tmp_path_factory.mktemp("text") / "a.csv"
    path.write_bytes(text.encode(encoding))
    with path.open(encoding=encoding_of(path, encoding), newline="") as file:
        assert file.read() == text


def test_a_table_that_is_not_there_names_those_that_are(tmp_path):
    (tmp_path / "train.csv").write_text("id\n")
    with pytest.raises(InputError, match=r"there is no table '.*training\.csv'; the folder has train\.csv"):
        open_table(tmp_path, "training.csv", source())


def test_a_parquet_file_that_is_none_says_so(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"a\.parquet' is not a Parquet file: "):
        open_table(tmp_path, "a.parquet", source())
