"""`affectory models [NAME]`: the models that can be trained, or the settings of one.

affectory models                 every family and model
affectory models joint           what it reads, and its settings with their default, range and meaning
affectory models finetune        the settings of --finetune
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from affectory.core.command import finish
from baselines.models import registry

#: The width of the list of settings.
_WIDTH = 100


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
    return finish(lambda: "\n".join(_listed(tyro.cli(Options, prog=prog, args=arguments).name)))


def _listed(name: str | None) -> Iterator[str]:
    if name is None or name in registry.FAMILIES:
        yield from _models([name] if name else list(registry.FAMILIES))
        yield ""
        yield "affectory models NAME lists a model's settings; affectory run DATASET --models NAME trains it"
        return
    yield from _settings(name)


def _models(families: list[str]) -> Iterator[str]:
    for family in families:
        yield family
        mine = {name: one.title for name, one in registry.MODELS.items() if one.family == family}
        width = max(14, *(len(name) + 2 for name in mine))
        yield from (f"  {name:<{width}}{title}" for name, title in mine.items())


def _settings(name: str) -> Iterator[str]:
    """Yield a model's settings; its file is imported, and torch with it."""
    title = (registry.SHARED.get(name) or registry.entry(name)).title
    kind = registry.settings_of(name)
    if name not in registry.SHARED:
        spec = registry.spec(name)
        title += f" (reads {' and '.join(spec.reads)}{_POSTS[spec.posts]})"
        if spec.made_of is not None:
            title += f": the {spec.made_of.rule} of {spec.made_of.first} and {spec.made_of.second}"
    yield title
    if kind is None:
        yield "It has no settings: set those of its two models."
        return
    from baselines.models.settings import described
    from baselines.results import published

    stated = published.stated(name)
    yield ""
    for one in described(kind):
        default = _written(one.default)
        told = f"--set {name}.{one.key}={default}"
        values = f" ({one.values})" if one.values else ""
        others = [f"{paper}: {_written(its[one.key])}" for paper, its in stated.items() if one.key in its]
        meaning = f"{one.meaning}{values}" + (f" [{', '.join(others)}]" if others else "")
        first, *more = wrap(meaning, _WIDTH - 36) or [""]
        yield f"{told:<36}{first}" if len(told) < 36 else f"{told}\n{' ' * 36}{first}"
        yield from (f"{' ' * 36}{line}" for line in more)
    if stated:
        yield f"\nIn brackets: the value of --preset {' or '.join(stated)}."


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
