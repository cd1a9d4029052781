"""List the models that can be trained, or the settings of one.

affectory models                 every family and model
affectory models joint           what it reads, and its settings with their default, range and meaning
affectory models finetune        the settings of --finetune
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Annotated, Any

from tyro.conf import Positional, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.output import Outcome
from baselines.models import registry

#: The width of the list of settings, and of its first column.
_WIDTH, _COLUMN = 79, 36


#: What is said of the training posts that a model reads.
_POSTS = {
    "all": "",
    "pairs": "; is trained on pairs of both",
    "both ways": "; is trained on pairs, and in a second row on unpaired posts too",
}


@dataclass(frozen=True)
class Options:
    """List the models, or the settings of one."""

    name: Positional[Annotated[str | None, arg(metavar="[NAME]", help_behavior_hint="")]] = None
    """A model, a family, or finetune."""


def main(arguments: list[str] | None = None, *, prog: str = "affectory models") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _listed(read_options(Options, arguments, prog, __doc__).name))


def _listed(name: str | None) -> Outcome:
    if name is not None and name not in registry.FAMILIES:
        return _settings(name)
    families = [name] if name else list(registry.FAMILIES)
    data = [
        {"model": model, "family": one.family, "title": one.title}
        for model, one in registry.MODELS.items()
        if one.family in families
    ]
    return Outcome("\n".join(_models(families)), data)


def _models(families: list[str]) -> Iterator[str]:
    for family in families:
        yield family
        mine = {name: one.title for name, one in registry.MODELS.items() if one.family == family}
        width = max(14, *(len(name) + 2 for name in mine))
        yield from (f"  {name:<{width}}{title}" for name, title in mine.items())
    yield ""
    yield "affectory models NAME lists a model's settings,"
    yield "affectory run DATASET --models NAME trains it"


def _settings(name: str) -> Outcome:
    """Return a model's settings; its file is imported, and torch with it."""
    title = (registry.SHARED.get(name) or registry.entry(name)).title
    data: dict[str, Any] = {"model": name, "title": title, "settings": []}
    kind = registry.settings_of(name)
    if name not in registry.SHARED:
        spec = registry.spec(name)
        data["reads"] = list(spec.reads)
        title += f" (reads {' and '.join(spec.reads)}{_POSTS[spec.posts]})"
        if spec.made_of is not None:
            title += f": the {spec.made_of.rule} of {spec.made_of.first} and {spec.made_of.second}"
    lines = wrap(title, _WIDTH)
    if kind is None:
        return Outcome("\n".join([*lines, "It has no settings: set those of its two models."]), data)
    from baselines.models.settings import described
    from baselines.results import published

    stated = published.stated(name)
    lines.append("")
    for one in described(kind):
        papers = {paper: its[one.key] for paper, its in stated.items() if one.key in its}
        data["settings"].append(
            {
                **{"key": one.key, "default": one.default, "values": one.values},
                **{"meaning": one.meaning, "presets": papers},
            }
        )
        told = f"--set {name}.{one.key}={_written(one.default)}"
        values = f" ({one.values})" if one.values else ""
        others = [f"{paper}: {_written(value)}" for paper, value in papers.items()]
        meaning = f"{one.meaning}{values}" + (f" [{', '.join(others)}]" if others else "")
        first, *more = wrap(meaning, _WIDTH - _COLUMN) or [""]
        lines += [f"{told:<{_COLUMN}}{first}"] if len(told) < _COLUMN else [told, f"{'':{_COLUMN}}{first}"]
        lines += [f"{'':{_COLUMN}}{line}" for line in more]
    if stated:
        lines += ["", f"In brackets: the value of --preset {' or '.join(stated)}."]
    return Outcome("\n".join(lines), data)


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
