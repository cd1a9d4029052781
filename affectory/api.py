"""The commands as functions, for notebooks and programs.

Arguments have the names and defaults of the command's options, with `_` for `-`: `affectory build --help`
says what each does. A function calls what the command calls, so that both leave the same files; it returns
what the command would print, and raises an `AffectoryError` where the command would print one line and exit.
It can be called while an event loop is running, as in a notebook.

The call is noted in the store or the results as the command that does the same.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, get_type_hints, overload

from affectory.core.addresses import Address, place
from affectory.core.errors import InputError, first_fault
from baselines.predict import Predictor as Predictor
from collectors.sites import SITES

if TYPE_CHECKING:
    from baselines.data.loaded import Loaded
    from baselines.results.trained import Trained
    from collectors.crawl.summary import Summary
    from curation.release.assemble import Built

#: A file or a folder.
PathLike: TypeAlias = str | os.PathLike[str]

Options = TypeVar("Options")


@overload
def collect(
    site: Literal["reddit"],
    *,
    subs: Sequence[str],
    source: str = ...,
    path: Sequence[PathLike] = ...,
    limit: int | None = ...,
    min_ups: int | None = ...,
    time: Literal["all", "year", "month", "week", "day", "hour"] = ...,
    engine: Literal["local", "ray"] = ...,
    address: str | None = ...,
    store: PathLike | None = ...,
    media: bool = ...,
    max_side: int | None = ...,
    honour_robots: bool = ...,
    shard: str | None = ...,
    workers: int = ...,
    new_author_key: bool = ...,
    sandbox: bool = ...,
    sandbox_url: str | None = ...,
) -> Summary: ...
@overload
def collect(
    site: Literal["flickr"],
    *,
    votes: Sequence[PathLike] = ...,
    vso: PathLike | None = ...,
    photos: Sequence[PathLike] = ...,
    ids: Sequence[PathLike] = ...,
    limit: int | None = ...,
    licence: Sequence[int] = ...,
    text: bool = ...,
    store: PathLike | None = ...,
    media: bool = ...,
    max_side: int | None = ...,
    honour_robots: bool = ...,
    shard: str | None = ...,
    workers: int = ...,
    new_author_key: bool = ...,
    sandbox: bool = ...,
    sandbox_url: str | None = ...,
) -> Summary: ...
@overload
def collect(
    site: Literal["local"],
    *,
    name: str,
    path: PathLike,
    store: PathLike | None = ...,
    datasets: PathLike = ...,
    workers: int = ...,
) -> Summary: ...
def collect(site: str, **options: Any) -> Summary:
    """Collect posts and their images into a crawl store, as `affectory collect SITE` does.

    `site` is "reddit", "flickr" or "local"; the options are those of its command:

        affectory.collect("reddit", subs=["happy", "creepy"], limit=100, store="data/mine")
        affectory.collect("flickr", votes=["agg"])
        affectory.collect("local", name="met-meme", path="MET-Meme")

    The same call again resumes, or fetches what is missing. Ctrl-C, or the notebook's stop button, ends it
    within a second: the summary is printed, and `KeyboardInterrupt` goes on.

    Raises `AffectoryError`, also if there was a problem and nothing could be collected; problems with a part
    are in the summary.
    """
    from collectors.crawl.crawl import run_in_thread

    sites = {name: one.command for name, one in SITES.items() if one.command}
    if site not in sites:
        raise InputError(f"{site!r} is not a site: there are {', '.join(sites)}")
    command = import_module(str(sites[site]))
    chosen = _options(command.Options, options)
    summary: Summary = command.run(chosen, _command(f"collect {site}", chosen), run_in_thread)
    if summary.exit_code == 2:  # nothing was collected
        raise summary.trouble or summary.failures[0].error
    return summary


def build(
    name: str,
    *,
    store: PathLike | None = None,
    out: PathLike | None = None,
    version: str | None = None,
    datasets: PathLike = "datasets",
    workers: int = os.cpu_count() or 1,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> Built:
    """Build a dataset's release from a crawl store, as `affectory build NAME` does; return what was built.

    `name` is a folder of `datasets` with a recipe.toml, or a built-in recipe; `store` is the crawl store
    (default: the recipe's). The same recipe, store and format give the same release, which is then not built
    again.

    Raises `AffectoryError`; earlier releases stay as they are.
    """
    given = locals()
    from curation.build import Options, run

    return run(_options(Options, given))


def load(
    name: str,
    *,
    version: str | None = None,
    datasets: PathLike = "datasets",
    cache: PathLike | None = None,
) -> Loaded:
    """Load a release that was built; return its splits as `datasets.Dataset`.

        release = affectory.load("reddit-emotion")
        release["train"][0]

    `version` is the newest by default; `datasets` is a folder or an address; `cache` is the folder in which
    the library `datasets` keeps its copy.

    Raises `AffectoryError` if there is no such release, or it is damaged.
    """
    from baselines.data.loaded import loaded

    copies = None if cache is None else Path(cache)
    return loaded(name, place(os.fspath(datasets)), version=version, cache=copies)


def train(
    name: str,
    *,
    models: Sequence[str] = (),
    preset: str = "affectory",
    set: Sequence[str] = (),
    as_trained: bool = False,
    balance: bool = False,
    select: Literal["likelihood", "accuracy", "macro-f1"] | None = None,
    seeds: int = 5,
    task: Literal["single", "several"] | None = None,
    labels: Sequence[str] = (),
    backbone: str = "inception_v3",
    weights: str | None = None,
    side: int | None = None,
    squash: bool = False,
    vectors: PathLike | None = None,
    width: int | None = None,
    text_encoder: str = "sentence-transformers/all-MiniLM-L6-v2",
    pair: str = "openai/clip-vit-large-patch14",
    projected_states: bool = False,
    regions: str = "grid",
    pixels: int = 384,
    device: str = "auto",
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    version: str | None = None,
    datasets: PathLike = "datasets",
    out: PathLike = "results",
    features: PathLike = "data/features",
    cache: PathLike | None = None,
    tune: bool = False,
    folds: int | None = None,
    gold: PathLike | None = None,
    pairs: Sequence[float] = (),
    ratios: Sequence[float] = (),
    stratified: bool = False,
    finetune: bool = False,
) -> Trained:
    """Train baselines on a release, as `affectory run NAME` does; return their scores beside the papers'.

        trained = affectory.train("reddit-emotion", models=["text", "joint"], seeds=3)
        predict = affectory.Predictor.load(trained.checkpoint("joint"))
        predict(text="My day")

    `models` are models or families, as `affectory models` lists them (default: those of the papers on this
    dataset), `seeds` the number of networks per model. Files go to `out`/NAME/VERSION. After Ctrl-C the same
    call resumes: finished networks are read from their checkpoints, features from their cache.

    Raises `AffectoryError`. A seed whose training failed is noted in the results.
    """
    given = locals()
    from baselines.options import Options

    chosen = _options(Options, given)
    chosen.check()
    from baselines.pipeline import run

    return run(chosen, _command("run", chosen))


def _options(options: type[Options], given: Mapping[str, Any]) -> Options:
    """Return a command's options with these values. Raises `InputError` for one that it doesn't take."""
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(options)
    shared = {
        name: group for group, hint in hints.items() if is_dataclass(hint) for name in get_type_hints(hint)
    }
    known = [name for name in (*hints, *shared) if name not in shared.values()]
    if unknown := [name for name in given if name not in known]:
        raise InputError(f"there is no option {unknown[0]!r}: the options are {', '.join(known)}")
    values: dict[str, Any] = {group: {} for group in shared.values()}
    for name, value in given.items():
        (values[shared[name]] if name in shared else values)[name] = (
            place(os.fspath(value)) if Address in get_args(hints.get(name)) and value is not None else value
        )
    try:
        return TypeAdapter(options).validate_python(values)
    except ValidationError as error:
        raise InputError(first_fault(error)) from None


def _command(words: str, options: Any) -> str:
    """Return the command that does the same as a call with these options."""
    said = ["affectory", words, *_flags(options)]
    return " ".join(said)


def _flags(options: Any) -> Iterator[str]:
    """Yield the arguments of a command: the name of the dataset, and the options that aren't the default."""
    for field in fields(options):
        value = getattr(options, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        flag = field.name.replace("_", "-")
        if is_dataclass(value) and not isinstance(value, Address):
            yield from _flags(value)
        elif field.name == "name":
            yield shlex.quote(value)
        elif value == default:
            continue
        elif isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            each = value if isinstance(value, tuple) else [value]
            yield " ".join([f"--{flag}", *(shlex.quote(str(one)) for one in each)])
