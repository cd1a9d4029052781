"""The type of an option that takes a folder or an address."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from tyro.constructors import PrimitiveConstructorSpec

from affectory.core.addresses import Address, place

#: `Path` alone would turn s3://a into s3:/a.
PlaceOption: TypeAlias = Annotated[
    Path | Address,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="DIR",
        instance_from_str=lambda given: place(given[0]),
        is_instance=lambda value: isinstance(value, Path | Address),
        str_from_instance=lambda value: [str(value)],
    ),
]
