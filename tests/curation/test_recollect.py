"""Posts that are collected by their ids while their source fails."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from affectory.core.errors import AffectoryError
from collectors.store import Store
from curation.hydration.recollect import collect
from tests.collectors.reddit_runs import without_credentials

ROOT = Path(__file__).parents[2]


class Archive(ThreadingHTTPServer):
    """An archive that has every post, and refuses each request after the first `patience` ones."""

    def __init__(self, patience):
        super().__init__(("127.0.0.1", 0), Answer)
        self.patience = patience


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.patience:
            self.server.patience -= 1
            ids = parse_qs(urlsplit(self.path).query)["ids"][0].split(",")
            posts = [{"id": one, "subreddit": "happy", "title": "t", "url": "https://a.b/"} for one in ids]
            body, status = json.dumps({"data": posts}).encode(), 200
        else:
            body, status = b"{}", 403
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("again", "said", "otherwise"),
    [
        (False, "not all could be collected", "with --store-only"),
        (True, "not all posts could be asked for", "without --refresh"),
    ],
)
def test_half_a_collection_is_not_taken_for_a_whole_one(tmp_path, monkeypatch, capfd, again, said, otherwise):
    without_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    rows = [
        {"post_id": f"reddit:{n:04}", "source": "reddit", "community": "happy", "image_url": None}
        for n in range(510)
    ]
    store = tmp_path / "s"
    with Archive(patience=1) as archive:
        thread = threading.Thread(target=archive.serve_forever)
        thread.start()
        try:
            base = f"http://127.0.0.1:{archive.server_port}"
            with pytest.raises(AffectoryError) as caught:
                collect(rows, store, base, again=again)
            assert str(caught.value) == (
                f"{said} (see the message above): run this command again to resume, or use what the store "
                f"holds {otherwise}"
            )
            with Store.open(store) as opened:
                assert opened.post_count(["happy"]) == 500
            archive.patience = -1
            collect(rows, store, base, again=again)
        finally:
            archive.shutdown()
            thread.join()
    with Store.open(store) as opened:
        assert opened.post_count(["happy"]) == 510
    assert "posts   asked 510 = 10 new + 500 known\n" in capfd.readouterr().out
