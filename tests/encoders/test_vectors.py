import json
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from affectory.encoders.text import vectors
from affectory.encoders.text.vectors import find_vectors, open_vectors

ROOT = Path(__file__).parents[2]
GLOVE = "day 1 2\nnight 3.5 -4e-1\n<user> 0 1\n"


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def binary(path, rows, between=b""):
    """Write word2vec's binary format; its own program ends a vector with a line break, others don't."""
    width = len(next(iter(rows.values())))
    out = [f"{len(rows)} {width}\n".encode()]
    out += [word.encode() + b" " + struct.pack(f"<{width}f", *row) + between for word, row in rows.items()]
    path.write_bytes(b"".join(out))
    return path


def listed(found, words):
    return {word: row.tolist() for word, row in found.subset(words).rows.items()}


def test_words_are_found_with_their_vectors(tmp_path):
    found = open_vectors(written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache")
    assert (found.name, found.width, len(found)) == ("glove.txt", 2, 3)
    assert listed(found, ["night", "<user>", "dawn", "Day"]) == {
        "night": [3.5, pytest.approx(-0.4)],
        "<user>": [0, 1],
    }
    assert found.matrix.dtype == np.float32
    assert found.spread == pytest.approx(np.std([1, 2, 3.5, -0.4, 0, 1]))
    assert "day" in found
    assert "dawn" not in found


def test_a_word_may_be_looked_up_as_written_and_then_in_lower_case(tmp_path):
    path = written(tmp_path / "cased.txt", "US 1 1\nus 2 2\nhappy 3 3\n")
    found = open_vectors(path, tmp_path / "cache", lower=True)
    assert listed(found, ["US", "us", "Happy", "Sad"]) == {"US": [1, 1], "us": [2, 2], "Happy": [3, 3]}
    assert found.subset(["Happy"]).source.lower
    assert found.subset(["Happy"], lower=False).rows == {}


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_the_binary_format_of_word2vec_is_read(tmp_path, between):
    rows = {"</s>": [0.001, -0.5, 1e-9], "Émile_Zola": [1.0, 2.0, 3.0], "in": [0.25, 0.0, -7.5]}
    found = open_vectors(binary(tmp_path / "google.bin", rows, between), tmp_path / "cache")
    assert listed(found, rows) == {word: np.array(row, np.float32).tolist() for word, row in rows.items()}


def test_a_binary_file_that_is_cut_off_is_one_line(tmp_path):
    path = binary(tmp_path / "google.bin", {"a": [0.1, 0.2], "b": [0.3, 0.4]})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BaselineError) as error:
        open_vectors(path, tmp_path / "cache")
    assert str(error.value) == f"'{path}' ends in vector 2 of 2: it is cut off; fetch it again"


def test_a_header_of_word2vec_is_skipped(tmp_path):
    found = open_vectors(written(tmp_path / "w2v.txt", "3 2\n" + GLOVE), tmp_path / "cache")
    assert (found.width, len(found), "3" in found) == (2, 3, False)


def test_lines_that_end_in_a_space_and_odd_separators_in_words_are_read(tmp_path):
    text = "day 1 2 \n\u2028 3 4 \n\u0085 5 6\n"
    found = open_vectors(written(tmp_path / "fasttext.vec", text), tmp_path / "cache")
    assert listed(found, ["day", "\u2028", "\u0085"]) == {"day": [1, 2], "\u2028": [3, 4], "\u0085": [5, 6]}


def test_the_first_vector_of_a_word_counts(tmp_path):
    found = open_vectors(written(tmp_path / "twice.txt", "a 1 1\na 2 2\n"), tmp_path / "cache")
    assert listed(found, ["a"]) == {"a": [1, 1]}
    assert len(found) == 1


def test_bytes_that_are_not_utf_8_are_replaced_as_in_texts(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 1 2\n")
    found = open_vectors(tmp_path / "latin.txt", tmp_path / "cache")
    assert listed(found, ["caf\ufffd", "café"]) == {"caf\ufffd": [1, 2]}


WORDS = st.text(st.characters(exclude_characters=" \t\n\r\x0b\x0c", exclude_categories=["Cs"]), min_size=1)
VALUES = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(WORDS, st.tuples(VALUES, VALUES), min_size=1, max_size=30), st.lists(WORDS, max_size=9)
)
def test_any_words_come_back_from_the_cache(rows, others):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{word} {a!r} {b!r}\n" for word, (a, b) in rows.items()]
        text = written(Path(folder) / "a.txt", "".join(lines))
        for path in (text, binary(Path(folder) / "a.bin", rows)):
            found = open_vectors(path, Path(folder) / "cache")
            assert listed(found, [*others, *rows]) == {word: list(row) for word, row in rows.items()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a 1 2\nb 3\n",
            ", line 2: 1 values after 'b', and 2 in the lines before; every line is a word and its vector, "
            "spaces between",
        ),
        ("a 1 2\nb 3 x\n", ", line 2: \"could not convert string to float: 'x'\"; no word vector"),
        ("2 2\na 1 2\nb 3 x\n", ", line 3: \"could not convert string to float: 'x'\"; no word vector"),
        (
            "a\n",
            ", line 1: 0 values after 'a', and 0 in the lines before; every line is a word and its vector, "
            "spaces between",
        ),
        (
            "2 300\na 1 2\nb 3 4\n",
            ": its first line states a width of 300, and line 2 has 2 values: remove that first line, or "
            "fetch the file again",
        ),
        ("", " holds no vectors"),
        ("5 2\n", " holds no vectors"),
    ],
)
def test_a_file_of_another_format_names_its_line_and_leaves_nothing(tmp_path, text, told):
    path = written(tmp_path / "bad.txt", text)
    with pytest.raises(BaselineError) as error:
        open_vectors(path, tmp_path / "cache")
    assert str(error.value) == f"'{path}'{told}"
    assert [left.name for left in (tmp_path / "cache").iterdir()] == ["vectors.lock"]


def test_a_bad_line_far_into_a_file_is_named(tmp_path):
    text = "".join(f"w{i} {i} 0\n" for i in range(2000)) + "x 1 y\n"
    with pytest.raises(BaselineError, match="line 2001: "):
        open_vectors(written(tmp_path / "bad.txt", text), tmp_path / "cache")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BaselineError) as error:
        open_vectors(tmp_path / "none.txt", tmp_path / "cache")
    assert str(error.value) == (
        f"the vectors '{tmp_path / 'none.txt'}' can't be read: No such file or directory"
    )


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    written(tmp_path / "cache", "a file")
    with pytest.raises(BaselineError, match=r"the cache of word vectors '.*cache' can't be used: "):
        open_vectors(written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache")


@pytest.fixture
def read(monkeypatch):
    """The files that were read to be hashed or converted, in order."""
    seen = []
    for name in ("_digest", "_convert"):
        own = getattr(vectors, name)

        def noted(path, *more, name=name, own=own):
            seen.append(f"{name} {path.name}")
            return own(path, *more)

        monkeypatch.setattr(vectors, name, noted)
    return seen


def test_a_file_is_converted_once_and_not_read_again(tmp_path, read):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    first = open_vectors(path, cache)
    again = open_vectors(path, cache)
    assert read == ["_digest glove.txt", "_convert glove.txt"]
    assert first.source == again.source
    assert (first.matrix == again.matrix).all()


def test_a_copy_is_hashed_and_not_converted(tmp_path, read):
    open_vectors(written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache")
    copy = open_vectors(written(tmp_path / "copy.txt", GLOVE), tmp_path / "cache")
    assert read == ["_digest glove.txt", "_convert glove.txt", "_digest copy.txt"]
    assert copy.name == "copy.txt"
    assert len(list((tmp_path / "cache").glob("vectors-*"))) == 1


def test_a_file_that_has_changed_is_converted_anew(tmp_path):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    before = open_vectors(path, cache)
    after = open_vectors(written(path, GLOVE + "dawn 7 8\n"), cache)
    assert (len(before), len(after)) == (3, 4)
    assert len(open_vectors(path, cache)) == 4


@pytest.mark.parametrize("damage", ["matrix.f32", "words.bin", "ends.npy", "vectors.json"])
def test_a_damaged_conversion_is_made_anew(tmp_path, damage):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    open_vectors(path, cache)
    (folder,) = cache.glob("vectors-*")
    os.truncate(folder / damage, 4)
    assert listed(open_vectors(path, cache), ["day"]) == {"day": [1, 2]}


def test_an_index_that_is_damaged_costs_only_a_hash(tmp_path, read):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    open_vectors(path, cache)
    (cache / "vectors.json").write_text("{")
    open_vectors(path, cache)
    assert read == ["_digest glove.txt", "_convert glove.txt", "_digest glove.txt"]
    assert list(json.loads((cache / "vectors.json").read_text())["files"]) == [str(path)]


KILLED = """
import os, signal, sys
from pathlib import Path
from affectory.encoders.text import vectors
np_save = vectors.np.save
vectors.np.save = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
vectors.open_vectors(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_conversion_leaves_nothing_under_its_final_name(tmp_path):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(path), str(cache)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert sorted(left.name for left in cache.iterdir()) == ["vectors.lock", "vectors.tmp"]
    found = open_vectors(path, cache)
    assert sorted(left.name for left in cache.iterdir()) == [
        f"vectors-{found.source.sha256[:16]}",
        "vectors.json",
        "vectors.lock",
    ]


def convert(path, cache, results):
    found = open_vectors(Path(path), Path(cache))
    results.put((len(found), found.find("w7").tolist()))


@pytest.mark.slow
def test_two_processes_at_once_convert_a_file_once(tmp_path):
    path = written(tmp_path / "many.txt", "".join(f"w{i} {i} 1\n" for i in range(20_000)))
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=convert, args=(str(path), str(tmp_path / "cache"), results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [(20_000, [7, 1])] * 2
    for process in processes:
        process.join()
    assert len(list((tmp_path / "cache").glob("vectors-*"))) == 1


def test_the_vectors_of_a_checkpoint_are_found_without_their_file_or_without_the_cache(tmp_path):
    path, cache = written(tmp_path / "glove.txt", GLOVE), tmp_path / "cache"
    source = open_vectors(path, cache, lower=True).subset(["day"]).source
    moved = path.rename(tmp_path / "elsewhere.txt")
    assert listed(find_vectors(source), ["NIGHT"]) == {"NIGHT": [3.5, pytest.approx(-0.4)]}
    assert find_vectors(source, tmp_path / "empty") is None
    moved.rename(path)
    assert listed(find_vectors(source, tmp_path / "other"), ["day"]) == {"day": [1, 2]}
    assert find_vectors(replace(source, sha256="0" * 64)) is None
