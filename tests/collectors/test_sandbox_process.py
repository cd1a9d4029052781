"""The sandbox as a process: it says where it is, counts what is asked, and dies with its parent."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from affectory.core.errors import InputError
from collectors.sandbox import running

ROOT = Path(__file__).parents[2]


def fetch(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read()


def start(*options):
    command = [sys.executable, "-m", "collectors.sandbox", "--posts", "20", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


@pytest.mark.slow
def test_it_runs_counts_and_forgets():
    with running(posts=20) as base:
        assert base.startswith("http://127.0.0.1:")
        first, second = fetch(f"{base}/bench.example/1.jpg"), fetch(f"{base}/bench.example/65.jpg")
        assert first != second and first[:2] == second[:2] == b"\xff\xd8"
        assert 60_000 < len(first) < 110_000
        assert fetch(f"{base}/bench.example/1.jpg") == first
        assert json.loads(fetch(f"{base}/~stats")) == {
            "requests": 3,
            "by_status": {"200": 3},
            "by_path": {"/bench.example/1.jpg": 2, "/bench.example/65.jpg": 1},
        }
        fetch(f"{base}/~reset", method="POST")
        assert json.loads(fetch(f"{base}/~stats"))["requests"] == 0
        assert b"<h1>Affectory sandbox</h1>" in fetch(f"{base}/")


@pytest.mark.slow
def test_it_dies_when_its_standard_input_ends():
    server = start("--exit-with-stdin")
    assert server.stdout.readline().startswith("sandbox ready at http://127.0.0.1:")
    out, err = server.communicate(timeout=10)  # closes its standard input
    assert (server.returncode, out, err) == (0, "", "")


@pytest.mark.slow
def test_a_signal_ends_it_quietly():
    for name in (signal.SIGTERM, signal.SIGINT):
        server = start()
        assert server.stdout.readline().startswith("sandbox ready")
        server.send_signal(name)
        out, err = server.communicate(timeout=10)
        assert (server.returncode, out, err) == (0, "", "")


@pytest.mark.slow
def test_a_bad_fault_is_a_message_and_status_2():
    server = start("--faults", "drop=0.1")
    _, err = server.communicate(timeout=10)
    assert server.returncode == 2
    assert err.startswith("error: unknown fault 'drop=0.1': write NAME=RATE with one of 429, 500,")
    with pytest.raises(InputError, match="unknown fault"), running(faults=["drop=0.1"]):
        raise AssertionError("it should not run")


def test_importing_it_loads_neither_numpy_nor_aiohttp():
    code = "import sys, collectors.sandbox; print({'numpy', 'PIL', 'aiohttp', 'tyro'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "set()\n"
