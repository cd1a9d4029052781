"""Publish a release on the Hugging Face hub, or its ids where its posts may not be passed on.

    affectory push reddit-emotion USER/reddit-emotion --dry-run
    affectory push reddit-emotion USER/reddit-emotion

The release is checked first, then what would be published is shown, and you are asked. A post without a
licence that allows copies makes it an ids release: labels, splits and the address of each post, no text, no
image. Dropped posts and the report stay here. Posts over 18 are marked on the card. Nothing is published of a
version with posts that were deleted or opted out since.

The token is that of `hf auth login`, or HF_TOKEN. An upload that was cut off is resumed by the same command:
what has arrived isn't sent again.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core import ids_releases, mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import AffectoryError, InputError, ReleaseError, some
from affectory.core.numbers import count
from affectory.core.output import Outcome, tell, wanted
from affectory.core.place_option import PlaceOption

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from curation.release.sharing import Sharing

#: Files that are listed one by one.
_SHOWN = 12


class PushError(AffectoryError):
    """The hub refused something, or can't be reached."""


@dataclass(frozen=True)
class Options:
    """Publish a release on the Hugging Face hub; its ids alone where its posts may not be passed on."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset, for example reddit-emotion."""

    repository: Positional[Annotated[str, arg(metavar="USER/REPO")]]
    """The dataset's repository on the hub. It is created if there is none."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The version to publish. Other versions in the repository stay."""

    ids_only: FlagCreatePairsOff[bool] = False
    """Publish the ids alone, also where the posts may be passed on."""

    yes: FlagCreatePairsOff[bool] = False
    """Publish without asking."""

    private: FlagCreatePairsOff[bool] = False
    """Create the repository as a private one."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The folder of the datasets, or its address."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as it is. `files` are paths in it."""

    exists: bool = False
    private: bool = False
    files: frozenset[str] = frozenset()


@dataclass(slots=True)
class Plan:
    """What is published: the folder, its files, and what it holds."""

    version: Path
    folder: Path
    sharing: Sharing
    ids_only: bool
    files: Sequence[str] = ()
    removed: Sequence[str] = ()  # versions that the repository loses
    warnings: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None, *, prog: str = "affectory push") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(
        lambda: _push(
            read_options(Options, arguments, prog, __doc__, has_json=False, has_dry_run=True),
        )
    )


def _push(options: Options) -> Outcome:
    from curation.manifest.released import chosen
    from curation.release.versions import POSTS  # pyarrow: not for --help

    _check_name(options.repository)
    version = chosen(options.datasets, options.name, options.version)
    dry_run = wanted().dry_run  # the hub isn't asked anything
    if not (options.yes or dry_run or sys.stdin.isatty()):
        raise InputError(
            "standard input is no terminal, so you can't be asked: --dry-run shows what would be published, "
            "--yes publishes it"
        )
    mirrors.fetch(options.datasets / options.name, *POSTS, f"{version.name}/*")
    sharing = _checked(version)
    with tempfile.TemporaryDirectory(prefix="affectory-push-") as place:
        ids_only = options.ids_only or not sharing.may_be_copied or ids_releases.has_ids_only(version)
        plan = Plan(version, Path(place), sharing, ids_only)
        if dry_run:
            _stage(plan, Repository())
            return Outcome(f"{_said(plan, options, None)}\n\ndry run: nothing was published", None)
        api = _api()
        found = _found(api, options)
        _stage(plan, found)
        said = _said(plan, options, found)
        if options.yes:
            tell(said)
        elif not _agreed(said):
            return Outcome("nothing was published", None, exit_code=1)
        _upload(api, options, plan)
        size = sum((plan.folder / path).stat().st_size for path in plan.files)
    return Outcome(f"\npublished {_address(options)}  {count(len(plan.files), 'file')}, {_size(size)}", None)


def _check_name(repository: str) -> None:
    """Raise `InputError` for anything but USER/REPO."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", repository, re.ASCII):
        raise InputError(f"{repository!r} is not a repository on the hub: write it as USER/REPO")
    if re.search(r"--|\.\.|[-.](/|$)|\.git$", repository):
        raise InputError(
            f"{repository!r} is not a name that the hub takes: leave out '--' and '..', and end it with a "
            "letter or a digit, but not with .git"
        )


def _checked(version: Path) -> Sharing:
    """Check every file of the version; return what may be published of it. Raises `ReleaseError`."""
    from curation.release import held, sharing
    from curation.release.check import check

    name = f"{version.parent.name} {version.name}"
    # A file more isn't published, and hurts nobody.
    if faults := [one for one in check(version).faults if one[0] != "unlisted_file"]:
        kind, what = faults[0]
        more = f" and {len(faults) - 1:,} more" if len(faults) > 1 else ""
        raise ReleaseError(
            f"{name} is damaged ({kind.replace('_', ' ')}: {what}{more}): affectory verify {version} says "
            "what to do"
        )
    if version.name in held.outdated(version.parent):
        raise ReleaseError(
            f"{name} holds posts that their source has deleted since: push a newer version, without --version"
        )
    if late := held.opted_out_since(version.parent, version.name):
        raise ReleaseError(
            f"{count(late, 'post')} of {name} opted out since: affectory purge {version.parent.name} makes a "
            "version without them"
        )
    return sharing.look(version)


def _api() -> HfApi:
    """Return the hub's client. Raises `InputError` without a token."""
    import huggingface_hub

    if huggingface_hub.get_token() is None:
        raise InputError("there is no token for the hub: run hf auth login, or set HF_TOKEN")
    if not sys.stderr.isatty():
        _utils().disable_progress_bars()
    _utils().logging.set_verbosity_error()
    return huggingface_hub.HfApi()


def _utils() -> Any:
    """Return what the client's library has for its users, but doesn't declare as exported."""
    return importlib.import_module("huggingface_hub.utils")


def _found(api: HfApi, options: Options) -> Repository:
    """Return the repository as it is. Raises `AffectoryError`, also if it isn't private as asked for."""
    with _asked(options.repository):
        api.whoami()  # of a token that isn't valid the hub says "no such repository"
        try:
            info = api.dataset_info(options.repository)
        except _utils().RepositoryNotFoundError:
            return Repository()
    if options.private and not info.private:
        raise InputError(
            f"{options.repository} is public already: leave --private out, or change its settings"
        )
    return Repository(True, bool(info.private), frozenset(one.rfilename for one in info.siblings or ()))


def _stage(plan: Plan, found: Repository) -> None:
    """Make the folder to upload, and note what the user should know."""
    from curation.release import held, sharing
    from curation.release.versions import built, parse

    here = built(plan.version.parent)
    held_there = [one.partition("/")[0] for one in sorted(found.files) if one.endswith("/manifest.json")]
    old = set(held.outdated(plan.version.parent))
    plan.removed = [one for one in held_there if one in old]
    kept = {one for one in found.files if one.partition("/")[0] not in old}
    adult = bool(plan.sharing.over_18) and not plan.ids_only
    plan.files = sharing.stage(plan.version, plan.folder, ids_only=plan.ids_only, adult=adult, there=kept)
    note = plan.warnings.append
    if adult:
        note(
            f"{count(plan.sharing.over_18, 'row is', 'rows are')} over 18: the card has the tag "
            "not-for-all-audiences"
        )
    if plan.sharing.generated:
        part = "all" if plan.sharing.generated == plan.sharing.rows else f"{plan.sharing.generated:,}"
        note(f"{part} rows are generated posts: not results, as the card says")
    if not (plan.version.parent / "card.md").is_file():
        note("there is no card.md: the card has no words of yours on how the posts were chosen")
    if unknown := [one for one in held_there if one not in here]:
        note(
            f"the repository also has {some(unknown, str)}, of which nothing is here: the card won't list it"
        )
    left = sorted(one for one in kept - {*plan.files} if one.startswith(f"{plan.version.name}/"))
    if left:
        note(f"the repository keeps other files of {plan.version.name}: {some(left, str, 3)}")
    if any(parse(one) > parse(plan.version.name) for one in held_there if one in here):
        note("the repository has a newer version, which stays the default")


def _said(plan: Plan, options: Options, found: Repository | None) -> str:
    """Return what would be published."""
    from curation.manifest import manifest

    described = manifest.read(plan.version / "manifest.json")
    told = plan.sharing
    state = "" if found is None else _state(found, options)
    sizes = {path: (plan.folder / path).stat().st_size for path in plan.files}
    lines = [f"{described.name} {described.version} to {_address(options)}{state}", ""]
    if not plan.ids_only:
        shown = described.recipe.get("publish") or {}
        held = ["texts"] * (shown.get("text") is not False) + ["images"] * described.pictured
        lines.append(f"  as        full release, with {' and '.join(held) or 'neither texts nor images'}")
    elif options.ids_only or told.empty:
        lines.append("  as        ids only: no texts, no images")
    else:
        of = f"{told.unfree:,} of {count(told.rows, 'row')}"
        lines.append(f"  as        ids only: {of} without a licence that allows copies")
    rows = {split: sum(by_label.values()) for split, by_label in described.counts.items()}
    licences = [f"{name} {number:,}" for name, number in told.licences.items()]
    lines.append(f"  rows      {' · '.join(f'{split} {number:,}' for split, number in rows.items())}")
    lines.append(f"  licences  {some(licences, str)}")
    lines.append(f"  files     {count(len(sizes), 'file')}, {_size(sum(sizes.values()))}")
    listed = list(sizes.items())
    listed = listed if len(listed) <= _SHOWN else listed[: _SHOWN - 1]
    lines += [f"            {_size(size):>9}  {path}" for path, size in listed]
    if more := len(sizes) - len(listed):
        lines.append(f"            and {more:,} more")
    lines += [
        f"  removes   {one}, which holds posts that were deleted since; it stays in the repository's history "
        "until that is squashed"
        for one in plan.removed
    ]
    lines += [f"  note      {one}" for one in plan.warnings]
    if not (plan.ids_only or ids_releases.has_ids_only(plan.version)):
        lines.append(
            "  stays     dropped posts and report.html: nothing says what licence the dropped posts have"
        )
    return mirrors.shown("\n".join(lines))


def _state(found: Repository, options: Options) -> str:
    if found.exists:
        return f"  ({'private' if found.private else 'public'})"
    return f"  (a new {'private' if options.private else 'public'} repository)"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1_000_000 else f"{size / 1e3:,.1f} kB"


def _agreed(said: str) -> bool:
    """Show what would be published, and ask."""
    print(f"{said}\n\nPublish this? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _upload(api: HfApi, options: Options, plan: Plan) -> None:
    """Create the repository if there is none, and upload. Raises `PushError`."""
    with _asked(options.repository):
        api.create_repo(
            options.repository, repo_type="dataset", private=options.private or None, exist_ok=True
        )
        api.upload_folder(
            repo_id=options.repository,
            repo_type="dataset",
            folder_path=plan.folder,
            allow_patterns=[*plan.files],
            delete_patterns=[f"{one}/*" for one in plan.removed] or None,
            commit_message=f"{plan.version.parent.name} {plan.version.name}",
        )


@contextmanager
def _asked(repository: str) -> Iterator[None]:
    """Turn what the client raises in the block into a `PushError` of one line."""
    try:
        yield
    except AffectoryError:
        raise
    except Exception as error:  # of the client, its HTTP library and its storage: of many kinds
        raise PushError(_why(error, repository)) from None


def _why(error: BaseException, repository: str) -> str:
    """Return what the hub said, and the next step."""
    import huggingface_hub

    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 9:
        causes.append(cause)
    codes = [getattr(getattr(one, "response", None), "status_code", None) for one in causes]
    code = next((one for one in codes if one), None)
    if code == 401:
        return "the hub refuses the token (401): run hf auth login, or set HF_TOKEN to one that may write"
    if code == 403:
        return (
            f"the hub doesn't let this token write to {repository} (403): use a token of its owner that may "
            "write, or name another repository"
        )
    if code == 404:
        return f"the hub has no place for {repository} (404): check the name of the user or organisation"
    if any(isinstance(one, json.JSONDecodeError) for one in causes):
        return (
            f"{repository} is not published: what answers at {huggingface_hub.constants.ENDPOINT} is no hub; "
            "check HF_ENDPOINT and the network"
        )
    said = str(causes[-1]).strip().partition("\n")[0] or type(causes[-1]).__name__
    token = huggingface_hub.get_token()
    said = said.replace(token, "…") if token else said
    return f"{repository} is not published ({said}): repeat the command; what has arrived isn't sent again"


def _address(options: Options) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/datasets/{options.repository}"
