import resource

import pytest

from affectory.core.errors import AffectoryError
from affectory.core.files import new_folder, replacing, replacing_folder, writable, write


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_its_path_returned(tmp_path):
    path = tmp_path / "table.md"
    assert write(path, "größer\n") == path
    assert path.read_bytes() == b"gr\xc3\xb6\xc3\x9fer\n"
    assert write(path, b"\x00\xff").read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["table.md"]


def test_an_error_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path):
    path = write(tmp_path / "table.md", "before")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert (path.read_text(), names(tmp_path)) == ("before", ["table.md"])


def test_a_full_disk_is_one_line_that_names_file_folder_and_next_step(tmp_path):
    path = write(tmp_path / "table.md", "before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # refuses larger files, as a full disk does
    try:
        with pytest.raises(AffectoryError) as error:
            write(path, "x" * 1001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value) == (
        f"table.md can't be written to {str(tmp_path)!r}: File too large; free some space or name a folder "
        "that can be written; complete files there are unchanged"
    )
    assert (path.read_text(), names(tmp_path)) == ("before", ["table.md"])


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(AffectoryError, match=r"^the release can't be written to '.*': Not a directory; free"),
        writable(tmp_path / "file", "the release"),
    ):
        (tmp_path / "file" / "release").mkdir()


def test_a_folder_is_replaced_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "network"
    for content in ("before", "after"):
        with replacing_folder(path) as temporary:
            (temporary / content).touch()
        assert (names(path), names(tmp_path)) == ([content], ["network"])
    with (
        pytest.raises(AffectoryError, match=r"^network can't be written"),
        replacing_folder(path) as temporary,
    ):
        (temporary / "half").touch()
        raise OSError(28, "full")
    assert (names(path), names(tmp_path)) == (["after"], ["network"])


def test_what_a_killed_process_left_is_removed_and_a_folder_of_the_users_is_not(tmp_path):
    left, own = tmp_path / ".out.affectory-unfinished", tmp_path / "out.tmp"
    for folder in (left, own):
        folder.mkdir()
        (folder / "file").touch()
    with new_folder(tmp_path / "out") as temporary:
        assert temporary == left and not names(temporary)
    assert (names(tmp_path), names(own)) == (["out", "out.tmp"], ["file"])
