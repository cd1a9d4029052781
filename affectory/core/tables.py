"""Read a recipe.toml; its tables as pydantic models, with errors that list the keys and names allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from affectory.core.errors import RecipeError, key_of

#: The most bytes of a recipe.toml. Ours have at most a few thousand, one with 100,000 labels has 4 MB.
LARGEST = 16 << 20


class Table(BaseModel):
    """A table of a recipe.toml. Frozen; values of another type, and unknown keys, are refused."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_only_known_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        if unknown := [key for key in raw if key not in cls.model_fields]:
            keys = ", ".join(cls.model_fields)
            refuse({key: raw[key] for key in unknown}, f"there is no such key; there are {keys}")
        return {key: _frozen(value) for key, value in raw.items()}


def _frozen(value: Any) -> Any:
    """Return a list of TOML or JSON as a tuple: the models are strict, and have no lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read(path: Path) -> dict[str, Any]:
    """Read a recipe.toml. Raises `RecipeError` if it can't be read, or isn't TOML."""
    try:
        if path.exists() and not path.is_file():
            raise RecipeError(f"the recipe {str(path)!r} is not a file: write the recipe there")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise RecipeError(
            f"the recipe {str(path)!r} can't be read: {error.strerror}; name the folder of the datasets with "
            "--datasets"
        ) from None
    if len(data) > LARGEST:
        raise RecipeError(f"the recipe {str(path)!r} has more than {LARGEST >> 20} MB: is it another file?")
    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
        beyond = next((place for place, value in _integers(found) if value.bit_length() > 63), None)
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{str(path)!r} is not UTF-8 (byte {error.start:,}): save it with the encoding UTF-8"
        ) from None
    except RecursionError:
        raise RecipeError(
            f"{str(path)!r} is not a recipe: its lists or tables are too deeply nested"
        ) from None
    except ValueError as error:
        raise RecipeError(f"{str(path)!r} is not TOML: {str(error).partition(';')[0]}") from None
    if beyond is not None:
        raise RecipeError(f"{path}: {key_of(beyond)} has more than 64 bits: write a smaller number")
    return found


def _integers(value: Any, place: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], int]]:
    """Yield the integers in a value, each with its place."""
    if isinstance(value, int):
        yield place, value
    elif isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _integers(one, (*place, key))


def among(names: Collection[str]) -> AfterValidator:
    """Return a validator for values that must be in `names`; later additions to `names` count too."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"Input should be {one_of(names)}")
        return name

    return AfterValidator(check)


def _a_folder(name: str) -> str:
    if "://" in name:
        raise ValueError("it is an address: name a folder")
    return name


#: The path of a folder on this machine: an address would become a folder of that name.
Folder: TypeAlias = Annotated[str, AfterValidator(_a_folder)]


def refuse(values: dict[str, Any], message: str) -> NoReturn:
    """Raise pydantic's `ValidationError` with this message for each of these keys and their values."""
    error = PydanticCustomError("refused", "{message}", {"message": message})
    raise ValidationError.from_exception_data(
        "table", [InitErrorDetails(type=error, loc=(key,), input=value) for key, value in values.items()]
    )


def one_of(names: Iterable[str]) -> str:
    """Return the names as pydantic's messages list them: 'a', 'b' or 'c'."""
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last
