"""What benchmarks.crash finds wrong at a kill and at an end."""

import signal

import pytest

from benchmarks import _stages
from collectors.store import Store

MANIFEST = '{"files": [{"path": "train-0.parquet"}]}'


@pytest.fixture
def place(tmp_path):
    """A working directory with an empty store and a version of one file."""
    place = tmp_path / "place"
    Store.open(place / "store").close()
    version = place / "datasets" / "happy" / "1.0.0"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text(MANIFEST)
    (version / "train-0.parquet").write_bytes(b"whole")
    return place


def test_a_file_that_is_neither_as_before_nor_as_in_the_end_is_half_written(place):
    calm = _stages.contents(place)
    path = place / "datasets" / "happy" / "1.0.0" / "train-0.parquet"
    assert _stages.broken(place, {}, calm) == []
    path.write_bytes(b"who")
    assert _stages.broken(place, {}, calm) == ["datasets/happy/1.0.0/train-0.parquet: half-written"]
    assert _stages.broken(place, _stages.contents(place), calm) == []


def test_a_version_without_its_manifest_or_a_file_is_broken(place):
    calm = _stages.contents(place)
    version = place / "datasets" / "happy" / "1.0.0"
    (version / "train-0.parquet").unlink()
    assert _stages.broken(place, {}, calm) == ["happy/1.0.0/train-0.parquet: missing"]
    (version / "manifest.json").unlink()
    assert _stages.broken(place, {}, calm) == ["happy/1.0.0: no manifest"]


def test_temporary_files_are_allowed_at_a_kill_and_not_in_the_end(place):
    calm = _stages.contents(place)
    (place / "results").mkdir()
    (place / "results" / "joint-seed0.pt.17.tmp").write_bytes(b"ha")
    (place / "datasets" / "happy" / ".building").mkdir()
    now = _stages.contents(place)
    assert _stages.broken(place, {}, now) == []
    assert _stages.differences(now, calm) == [
        "datasets/happy/.building: left over",
        "results: left over",
        "results/joint-seed0.pt.17.tmp: left over",
    ]


def test_results_are_compared_without_date_command_and_seconds():
    one = b'{"date": "2026-01-01", "command": "a", "rows": [{"model": "text", "seconds": 1.0}]}'
    other = b'{"date": "2026-02-02", "command": "b", "rows": [{"model": "text", "seconds": 2.0}]}'
    assert _stages._without_times(one) == _stages._without_times(other)
    assert _stages._without_times(one[:30]) == b"not whole"


def test_a_command_is_killed_after_the_processor_time_that_was_asked_for(place):
    busy = place / "busy.py"
    busy.write_text("while True: pass")
    process = _stages._start(place, "busy")
    assert 0.3 <= _stages.work_until(process, 0.3) < 10
    assert _stages._killed(process) == []
    assert process.returncode == -signal.SIGKILL
