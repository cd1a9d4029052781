"""Models of `transformers`, from the Hugging Face hub or a folder: what image and text encoders share."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectory.core.errors import BaselineError


def transformers() -> Any:
    """Import `transformers` (seconds), without its progress bars and warnings."""
    hub: Any = importlib.import_module("transformers")  # half of it is not typed
    hub.utils.logging.disable_progress_bar()
    hub.utils.logging.set_verbosity_error()  # what is missing is judged by us
    return hub


def answers() -> bool:
    """Return whether the hub can be reached: asked once, as its libraries ask again for up to minutes."""
    hub: Any = importlib.import_module("huggingface_hub.utils")
    endpoint = importlib.import_module("huggingface_hub.constants").ENDPOINT
    try:
        hub.get_session().head(endpoint, timeout=10)
    except Exception:  # of the HTTP library that this version of the hub's has, or of its offline mode
        return False
    return True


def only_local(source: str) -> bool:
    """Return whether a model can only be loaded from this machine: a folder, or the hub can't be reached."""
    return Path(source).is_dir() or not answers()


def folder(path: Path) -> str:
    """Return the path of a model's folder. Raises `BaselineError` where it is none."""
    if not (path / "config.json").is_file():
        raise BaselineError(
            f"--weights {path}: a transformers model is a folder with a config.json, or random"
        )
    return str(path)


@contextmanager
def loading(name: str, source: str, local: bool, instead: str) -> Iterator[None]:
    """Turn the errors of `from_pretrained` into a `BaselineError`; `instead`: what else the user can do."""
    try:
        yield
    except BaselineError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        why = str(error).strip().partition("\n")[0].partition(". ")[0][:160]
        if local and not Path(source).is_dir():
            why = "the Hugging Face hub can't be reached, and hasn't given it before"
        raise BaselineError(
            f"{name} can't be loaded from {source!r} ({why}): download it elsewhere (`hf download {name} "
            f"--local-dir DIR`) and {instead}"
        ) from error


def check_missing(name: str, source: str, missing: set[str], without: tuple[str, ...]) -> None:
    """Raise `BaselineError` where a checkpoint lacks weights, but for those whose names begin so."""
    lost = sorted(key for key in missing if not key.startswith(without))
    if lost:
        raise BaselineError(
            f"{source} does not hold the weights of {name}: {', '.join(lost[:3])} are missing"
            f"{f' and {len(lost) - 3} more' if len(lost) > 3 else ''}"
        )
