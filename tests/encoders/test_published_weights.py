"""Published weights are downloaded once, to torch's cache."""

import hashlib
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from affectory.encoders.image.published_weights import fetch


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("urllib.request._opener", None)
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_weights_are_downloaded_once_and_torch_prints_nothing(tmp_path, cache, capsys):
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    (tmp_path / f"tiny-{digits}.pth").write_bytes(b"weights")
    with serving(tmp_path) as address:
        path = fetch("tiny", f"{address}/tiny-{digits}.pth")
        assert (path, path.read_bytes()) == (cache / f"tiny-{digits}.pth", b"weights")
        (tmp_path / path.name).unlink()
        assert fetch("tiny", f"{address}/{path.name}") == path
    assert capsys.readouterr() == ("", "")


def test_other_bytes_than_the_name_says_are_refused(tmp_path, cache):
    (tmp_path / "tiny-01234567.pth").write_bytes(b"weights")
    with serving(tmp_path) as address, pytest.raises(RuntimeError, match="invalid hash value"):
        fetch("tiny", f"{address}/tiny-01234567.pth")
    assert list(cache.iterdir()) == []
