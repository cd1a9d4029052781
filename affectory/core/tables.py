"""Tables of a recipe.toml as pydantic models, with errors that list the keys and names allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class Table(BaseModel):
    """A table of a recipe.toml. Frozen; a key that it doesn't have is refused."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_only_known_keys(cls, raw: Any) -> Any:
        unknown = [key for key in raw if key not in cls.model_fields] if isinstance(raw, dict) else []
        if unknown:
            keys = ", ".join(cls.model_fields)
            refuse({key: raw[key] for key in unknown}, f"there is no such key; there are {keys}")
        return raw


def among(names: Collection[str]) -> AfterValidator:
    """Return a validator for values that must be in `names`; later additions to `names` count too."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"Input should be {one_of(names)}")
        return name

    return AfterValidator(check)


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
