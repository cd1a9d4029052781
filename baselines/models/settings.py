"""Settings of a model: fields with their meaning and range, set by `--set MODEL.KEY=VALUE`.

@dataclass(frozen=True, slots=True)
class JointSettings(ModelSettings):
    lr: float = setting(0.2, "learning rate of SGD", above=0)

changed(JointSettings(), "lr", "0.1")      # JointSettings(lr=0.1)
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from affectory.core.errors import BaselineError, meant

#: What a setting can be.
Value = str | int | float | bool | None


def setting(
    default: Any,
    meaning: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """Return a dataclass field: its default, what it means, and the range of its numbers."""
    return field(default=default, metadata={"meaning": meaning, "above": above, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The base of every model's settings. Raises `BaselineError` for a number out of its range."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                _check(one.name, value, one.metadata)


def _check(name: str, value: float, bounds: Mapping[str, Any]) -> None:
    above, least, most = bounds.get("above"), bounds.get("least"), bounds.get("most")
    fits = (
        math.isfinite(value)
        and (above is None or value > above)
        and (least is None or value >= least)
        and (most is None or value <= most)
    )
    if not fits:
        raise BaselineError(f"{name} = {value!r}: it must be {_range(bounds) or 'finite'}")


def _range(bounds: Mapping[str, Any]) -> str:
    above, least, most = bounds.get("above"), bounds.get("least"), bounds.get("most")
    if most is not None:
        return f"above {above:g} and at most {most:g}" if above is not None else f"{least or 0:g} to {most:g}"
    if above is not None:
        return f"above {above:g}"
    return f"{least:g} or more" if least is not None else ""


class Described(NamedTuple):
    """A setting as `affectory models NAME` lists it."""

    key: str
    default: Value
    values: str  # "above 0", "max or mean", "true or false"
    meaning: str


def described(kind: type[ModelSettings]) -> Iterator[Described]:
    """Yield the settings of a model in their order."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        assert one.default is not MISSING, f"{kind.__name__}.{one.name} has no default"
        options = _options(hints[one.name])
        values = " or ".join(map(str, options)) if options else _range(one.metadata)
        yield Described(one.name, one.default, values, one.metadata.get("meaning", ""))


def changed(settings: ModelSettings, key: str, value: str | Value, *, model: str = "") -> Any:
    """Return the settings with one changed; a string is read as the type of the setting.

    Raises `BaselineError` for an unknown key or a value of another type. `model` is named in the message.
    """
    known_key(key, [type(settings)], model=model)
    found = parsed(type(settings), key, value, model=model) if isinstance(value, str) else value
    return replace(settings, **{key: found})


def parsed(kind: type[ModelSettings], key: str, text: str, *, model: str = "") -> Value:
    """Read a string as the type of a setting, whatever its range. Raises `BaselineError` for another type."""
    hint = get_type_hints(kind)[key]
    found: Any = _read(text, hint)
    if found is _WRONG:
        options = _options(hint)
        wanted = " or ".join(map(str, options)) if options else _named(hint)
        where = f"{model}.{key}" if model else key
        raise BaselineError(f"--set {where}={text}: {text!r} is not {wanted}")
    value: Value = found
    return value


def known_key(key: str, kinds: Iterable[type[ModelSettings]], *, model: str = "") -> None:
    """Raise `BaselineError` for a key that none of these settings has."""
    known = list(dict.fromkeys(one.name for kind in kinds for one in fields(kind)))
    if key not in known:
        where = f"{model}.{key}" if model else key
        raise BaselineError(
            f"--set {where}: {model or 'the model'} has no setting {key!r}; {meant(key, known)}"
        )


_WRONG = object()


def _read(text: str, kind: Any) -> Any:
    """Read a string as a type; `_WRONG` where it isn't one."""
    if get_origin(kind) in (Union, types.UnionType):
        if type(None) in get_args(kind) and text.lower() == "none":
            return None
        found = [_read(text, one) for one in get_args(kind) if one is not type(None)]
        return next((one for one in found if one is not _WRONG), _WRONG)
    if get_origin(kind) is Literal:
        return text if text in get_args(kind) else _WRONG
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), _WRONG)
    try:
        return kind(text)
    except ValueError:
        return _WRONG


def _options(kind: Any) -> list[Any]:
    """Return the values that a setting can have, where they are few."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return ["true", "false"] if kind is bool else []


def _named(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join("none" if one is type(None) else _named(one) for one in get_args(kind))
    return {int: "a whole number", float: "a number", str: "a text"}.get(kind, str(kind))


def as_values(settings: ModelSettings | None) -> dict[str, Value]:
    """Return the settings by key."""
    return {} if settings is None else asdict(settings)
