"""Run img2dataset in a separate process, and read its statistics."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _measure

_CALL = "import json, sys; from img2dataset import download; download(**json.loads(sys.argv[1]))"

#: Options that are the same in every run: the resize as in ours, two processes, no reports to services.
_SAME: dict[str, Any] = {
    "image_size": 256,
    "resize_mode": "keep_ratio_largest",
    "resize_only_if_bigger": True,
    "encode_quality": 95,
    "encode_format": "jpg",
    "output_format": "files",
    "processes_count": 2,
    "enable_wandb": False,
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A run of img2dataset. `seconds` are its shards' own, without the start of any process."""

    finished: _measure.Finished
    images: int
    seconds: float
    errors: Counter[str]


def missing(python: str) -> str | None:
    """Return why this interpreter can't run img2dataset, and what to do; None where it can."""
    try:
        found = subprocess.run([python, "-c", "import img2dataset"], capture_output=True, env=_environment())
    except OSError as error:
        return f"--img2dataset {python!r} can't be run: {error.strerror}"
    if found.returncode:
        return f"{python!r} has no img2dataset: use `uv run --group bench`, or --img2dataset PYTHON"
    return None


def run(
    python: str, folder: Path, urls: list[str], *, timeout: float = 300, memory: bool = False, **options: Any
) -> Peer:
    """Download these addresses with img2dataset into `folder`."""
    folder.mkdir(parents=True)
    listed = folder / "urls.txt"
    listed.write_text("\n".join(urls))
    # As many shards as processes: one each, and no pause between two.
    shard = -(-len(urls) // 2)
    asked = {"url_list": str(listed), "output_folder": str(folder / "out"), "number_sample_per_shard": shard}
    command = [python, "-c", _CALL, json.dumps(asked | _SAME | options)]
    finished = _measure.run(command, environment=_environment(), timeout=timeout, memory=memory)
    shards = [json.loads(path.read_text()) for path in (folder / "out").glob("*_stats.json")]
    errors: Counter[str] = Counter()
    for found in shards:
        errors.update(found["status_dict"])
    del errors["success"]
    return Peer(
        finished,
        images=sum(found["successes"] for found in shards),
        seconds=max((s["end_time"] for s in shards), default=float("nan"))
        - min((s["start_time"] for s in shards), default=float("nan")),
        errors=errors,
    )


def _environment() -> dict[str, str]:
    # One of its dependencies asks the network for a newer version of itself whenever it is imported.
    return dict(os.environ) | {"NO_ALBUMENTATIONS_UPDATE": "1"}
