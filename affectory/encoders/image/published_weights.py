"""The weights that torchvision publishes: downloaded once, to torch's cache, with our progress."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import torch

from affectory.core.progress import Steps


def fetch(name: str, url: str) -> Path:
    """Return the file of published weights in torch's cache, where torchvision finds it.

    The file's name holds the first digits of its sha256, as those of torchvision do, which is checked. Raises
    `URLError`, `OSError`, or `RuntimeError` for other bytes.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", urlsplit(url).path.rpartition("/")[2])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        digits = torch.hub.HASH_REGEX.search(path.name)
        with Steps(f"downloading the weights of {name}"):
            torch.hub.download_url_to_file(url, str(path), digits[1] if digits else None, progress=False)
    return path
