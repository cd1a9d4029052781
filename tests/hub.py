"""A stand-in of the Hugging Face hub on this machine: repositories of datasets, with the calls of an upload.

It speaks what `huggingface_hub` asks for: who am I, the repository, its creation, the kind of each file, the
storage of large files by their sha256, and commits. Large files are all Parquet files. They come by LFS, or,
with `storage`, by Xet into that folder, of which the stand-in sees the sha256 alone.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_secret"


@dataclass
class Hub:
    """What the hub has, what it was sent, and what it refuses."""

    url: str = ""
    repositories: dict = field(default_factory=dict)  # id -> {path: bytes}
    private: dict = field(default_factory=dict)  # id -> whether it is
    storage: str = ""
    stored: dict = field(default_factory=dict)  # sha256 -> bytes
    commits: list = field(default_factory=list)  # (id, message)
    sent: list = field(default_factory=list)  # sha256 of each file that was stored
    asked: int = 0
    owners: tuple = ("user",)
    cut_after: int | None = None  # so many large files are stored, then connections end
    page: bytes = b""  # answers everything, as the page of a network that asks its users to log in


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def log_message(self, *_):
        pass

    def _answer(self, method):
        self.hub.asked += 1
        if self.hub.page:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.hub.page)))
            self.end_headers()
            self.wfile.write(self.hub.page)
            return None
        path = self.path.partition("?")[0]
        for verb, pattern, answer in _CALLS:
            if verb == method and (found := re.fullmatch(pattern, path)):
                if answer is not _put and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    return self._send(401, {"error": "Invalid user token."})
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return answer(self, body, *found.groups())
        return self._send(404, {"error": f"{method} {path}"})

    def _send(self, status, value=None, **headers):
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, said in headers.items():
            self.send_header(name.replace("_", "-"), said)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _whoami(self, body):
    self._send(200, {"type": "user", "name": "user", "orgs": []})


def _repository(self, body, name):
    if name not in self.hub.repositories:
        return self._send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
    files = [{"rfilename": path} for path in self.hub.repositories[name]]
    return self._send(
        200, {"id": name, "private": self.hub.private[name], "sha": "0" * 40, "siblings": files, "tags": []}
    )


def _tree(self, body, name):
    files = self.hub.repositories[name].items()
    listed = [{"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in files]
    return self._send(200, listed)


def _create(self, body):
    asked = json.loads(body)
    name = f"{asked['organization']}/{asked['name']}"
    if asked["organization"] not in self.hub.owners:
        return self._send(
            403, {"error": "You don't have the rights to create a dataset under this namespace"}
        )
    if name in self.hub.repositories:
        return self._send(
            409, {"error": "You already created this dataset repo", "url": f"{self.hub.url}/datasets/{name}"}
        )
    self.hub.repositories[name] = {}
    self.hub.private[name] = asked.get("private") is True or asked.get("visibility") == "private"
    return self._send(200, {"url": f"{self.hub.url}/datasets/{name}", "name": name})


def _preupload(self, body, name):
    there = self.hub.repositories[name]
    found = []
    for file in json.loads(body)["files"]:
        kind = "lfs" if file["path"].endswith(".parquet") else "regular"
        oid = _oid(there[file["path"]], kind) if file["path"] in there else None
        found.append({"path": file["path"], "uploadMode": kind, "shouldIgnore": False, "oid": oid})
    return self._send(200, {"files": found})


def _storage(self, body, name):
    self._send(200, {"accessToken": "x", "exp": 2**32, "casUrl": f"local://{self.hub.storage}"})


def _oid(data, kind):
    if isinstance(data, str):
        return data
    if kind == "lfs":
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _yaml(self, body):
    self._send(200, {"errors": [], "warnings": []})


def _batch(self, body, name):
    objects = []
    for one in json.loads(body)["objects"]:
        href = f"{self.hub.url}/lfs/{one['oid']}"
        objects.append(
            one if one["oid"] in self.hub.stored else one | {"actions": {"upload": {"href": href}}}
        )
    return self._send(200, {"transfer": "basic", "objects": objects})


def _put(self, body, digest):
    if self.hub.cut_after is not None and len(self.hub.sent) >= self.hub.cut_after:
        self.close_connection = True  # without an answer
        return None
    assert hashlib.sha256(body).hexdigest() == digest
    self.hub.stored[digest] = body
    self.hub.sent.append(digest)
    return self._send(200)


def _commit(self, body, name):
    there = self.hub.repositories[name]
    for line in body.splitlines():
        item = json.loads(line)
        key, value = item["key"], item["value"]
        if key == "header":
            self.hub.commits.append((name, value["summary"]))
        elif key == "file":
            there[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            there[value["path"]] = self.hub.stored.get(value["oid"], value["oid"])
        elif key == "deletedFile":
            del there[value["path"]]
    self._send(
        200, {"success": True, "commitOid": "1" * 40, "commitUrl": f"{self.hub.url}/datasets/{name}/commit/1"}
    )


_ID = r"([\w.-]+/[\w.-]+)"
_CALLS = (
    ("GET", "/api/whoami-v2", _whoami),
    ("GET", f"/api/datasets/{_ID}(?:/revision/main)?", _repository),
    ("GET", f"/api/datasets/{_ID}/tree/main", _tree),
    ("POST", "/api/repos/create", _create),
    ("POST", f"/api/datasets/{_ID}/preupload/main", _preupload),
    ("POST", "/api/validate-yaml", _yaml),
    ("GET", f"/api/datasets/{_ID}/xet-write-token/main", _storage),
    ("POST", rf"/datasets/{_ID}\.git/info/lfs/objects/batch", _batch),
    ("PUT", "/lfs/([0-9a-f]{64})", _put),
    ("POST", f"/api/datasets/{_ID}/commit/main", _commit),
)


@contextlib.contextmanager
def running():
    """Run a hub in a thread."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
