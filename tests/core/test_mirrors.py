"""Local copies of datasets at an address, of a file system in memory."""

import json
import shutil
from contextlib import contextmanager

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFile

from affectory.core import mirrors
from affectory.core.addresses import place
from affectory.core.errors import AffectoryError, ReleaseError
from tests.remote import Remote, empty

ROOT = "/bucket/test/"
DATASET = place("remote://bucket/test")


@pytest.fixture(autouse=True)
def place_to_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    empty()


def there():
    """Return the files at the address by their path in the dataset's folder."""
    found = {path.removeprefix(ROOT): file for path, file in sorted(Remote.store.items())}
    return {path: file.getvalue().decode() for path, file in found.items()}


def calls():
    """Return the calls since the last time."""
    found = [(word, path.removeprefix(ROOT)) for word, path in Remote.calls]
    Remote.calls.clear()
    return found


def put(key, text):
    """Write a file at the address, as another command would."""
    Remote().pipe_file(ROOT + key, text.encode())


@contextmanager
def refusing(after):
    """Have the address take so many files, and then no more."""
    left = iter(range(after))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Remote, "refuses", lambda self, path: next(left, None) is None)
        yield


def version(text, number="1.0.0"):
    """Return the files of a version; those of Parquet have a digest in their names."""
    digest = f"{sum(text.encode()):012x}"
    train = f"train-00000-of-00001-{digest}.parquet"
    listed = json.dumps({"files": [{"path": train, "bytes": len(text)}]})
    return {
        f"{number}/report.html": f"<p>{text}",
        f"{number}/{train}": text,
        f"{number}/manifest.json": listed,
    }


def write(folder, contents):
    for key, text in contents.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_text(text)


def publish(contents, *patterns, removes=False):
    with mirrors.written(DATASET, *patterns, removes=removes) as folder:
        write(folder, contents)


def test_a_folder_stands_for_itself(tmp_path):
    assert mirrors.fetch(tmp_path / "a", "*/*") == tmp_path / "a"
    with mirrors.written(tmp_path / "a") as folder:
        assert folder == tmp_path / "a"
    assert not (tmp_path / "data").exists()


def test_a_version_is_sent_with_its_manifest_last_and_the_card_after_it():
    first = version("one")
    publish(first | {"README.md": "card"})
    assert there() == first | {"README.md": "card"}
    assert calls() == [("put", key) for key in [*first, "README.md"]]
    publish({})
    assert calls() == []


def test_an_upload_that_fails_at_any_file_shows_no_version_and_is_completed():
    first = version("one") | {"README.md": "card"}
    for number in range(3):
        empty()
        shutil.rmtree(mirrors.MIRRORS, ignore_errors=True)
        with pytest.raises(AffectoryError) as caught, refusing(after=number):
            publish(first)
        key = list(first)[number]
        assert str(caught.value) == (
            f"'remote://bucket/test/{key}' can't be written: Access Denied; use credentials that may do this "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
        )
        assert "1.0.0/manifest.json" not in there()
        assert mirrors.is_unsent(mirrors.local(DATASET) / "1.0.0")
        calls()
        publish({"README.md": "card"})
        assert there() == first
        train = list(first)[1]
        assert (("put", train) in calls()) == (number < 2)  # what has a digest in its name isn't sent twice
        assert not mirrors.is_unsent(mirrors.local(DATASET) / "1.0.0")


def test_what_a_failed_upload_of_other_content_left_is_removed():
    with pytest.raises(AffectoryError), refusing(after=2):
        publish(version("another"))
    shutil.rmtree(mirrors.MIRRORS)
    publish(version("one"))
    assert there() == version("one")


def test_only_files_that_are_asked_for_are_fetched_and_once():
    publish(version("one") | version("two", "1.1.0") | {"README.md": "card"})
    shutil.rmtree(mirrors.MIRRORS)
    calls()
    folder = mirrors.fetch(DATASET, "1.1.0/*.parquet")
    (name,) = [key for key in version("two", "1.1.0") if key.endswith(".parquet")]
    assert calls() == [("get", name)]
    assert (folder / name).read_text() == "two"
    assert (folder / "README.md").read_text() == "card"
    mirrors.fetch(DATASET, "1.1.0/*.parquet")
    assert calls() == []
    assert [mirrors.size(folder / key) for key in version("one")] == [len(t) for t in version("one").values()]
    assert mirrors.size(folder / "1.0.0" / "other.parquet") is None


def test_what_is_removed_or_changed_at_the_address_is_so_in_the_copy():
    publish(version("one") | version("two", "1.1.0") | {"exclude.txt": "list"})
    folder = mirrors.local(DATASET)
    for key in [key for key in Remote.store if "/1.0.0/" in key or "exclude" in key]:
        del Remote.store[key]
    put("1.1.0/manifest.json", "{}")
    mirrors.fetch(DATASET)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [".listing.json", ".lock", "1.1.0/manifest.json"]


def test_a_purge_alone_removes_versions_and_their_manifest_first():
    publish(version("one") | version("two", "1.1.0"))
    calls()
    for removes in (False, True):
        with mirrors.written(DATASET, "*/*", removes=removes) as folder:
            shutil.rmtree(folder / "1.0.0")
            assert there() == version("one") | version("two", "1.1.0")
    removed = [key for word, key in calls() if word == "rm"]
    assert (removed[0], sorted(removed)) == ("1.0.0/manifest.json", sorted(version("one")))
    assert there() == version("two", "1.1.0")


def test_nothing_is_sent_after_an_error():
    with pytest.raises(ValueError, match="stop"), mirrors.written(DATASET) as folder:
        write(folder, version("one"))
        raise ValueError("stop")
    assert there() == {}


def test_a_version_that_another_command_wrote_meanwhile_is_not_overwritten():
    with pytest.raises(ReleaseError) as caught, mirrors.written(DATASET) as folder:
        write(folder, version("one"))
        for key, text in version("two").items():
            put(key, text)
    assert str(caught.value) == (
        "'remote://bucket/test/1.0.0' was written by another command meanwhile: run this one again"
    )
    assert there() == version("two")
    mirrors.fetch(DATASET)
    assert (mirrors.local(DATASET) / "1.0.0" / "manifest.json").read_text() == version("two")[
        "1.0.0/manifest.json"
    ]


def test_a_file_of_another_size_than_in_the_manifest_is_one_line():
    publish(version("one"))
    (name,) = [key for key in version("one") if key.endswith(".parquet")]
    put(name, "on")
    with pytest.raises(ReleaseError) as caught:
        mirrors.fetch(DATASET, "*/*.parquet")
    assert str(caught.value) == (
        f"'remote://bucket/test/{name}' has 2 bytes instead of 3: build the version again"
    )
    assert (mirrors.fetch(DATASET, "*/*", fresh=True) / name).read_text() == "on"


def test_names_that_lead_out_of_the_copy_are_left_alone():
    for key in ("../../../evil", "1.0.0/../../evil", "1.0.0/.hidden", ".listing.json", "1.0.0/manifest.json"):
        Remote.store[ROOT + key] = MemoryFile(Remote(), ROOT + key, b"{}")
    folder = mirrors.fetch(DATASET, "*")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [".listing.json", ".lock", "1.0.0/manifest.json"]


def test_a_file_system_with_folders_gets_them(tmp_path):
    class Disk(LocalFileSystem):
        protocol = "disk"

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(str(path).replace("disk://host", str(tmp_path / "disk")))

    fsspec.register_implementation("disk", Disk, clobber=True)
    dataset = place("disk://host/test")
    with mirrors.written(dataset) as folder:
        write(folder, version("one"))
    assert (tmp_path / "disk" / "test" / "1.0.0" / "report.html").read_text() == "<p>one"


def test_messages_name_the_address_in_place_of_its_copy():
    assert mirrors.shown("'data/mirrors/s3/bucket/test/1.0.0' exists already") == (
        "'s3://bucket/test/1.0.0' exists already"
    )
    assert mirrors.shown("rm -r /home/me/data/mirrors/s3/bucket") == "rm -r /home/me/data/mirrors/s3/bucket"
