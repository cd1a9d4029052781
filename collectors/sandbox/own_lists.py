"""Fetch the lists of photos and pairs that a running sandbox offers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from affectory.core.errors import InputError
from collectors.store.layout import explained


def fetch_lists(base: str, folder: Path) -> list[Path]:
    """Write the sandbox's lists to `folder`; return the vote tables among them. Raises `InputError`."""
    try:
        names = json.loads(_get(f"{base}/~lists"))["lists"]
        texts = {name: _get(f"{base}/~lists/{name}") for name in names}
    except (urllib.error.URLError, ValueError, KeyError, OSError) as error:
        raise InputError(f"--sandbox-url {base!r} is not a sandbox with lists: {error}") from None
    with explained(folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_bytes(text)
    return [folder / name for name in names if name.endswith(".csv")]


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body
