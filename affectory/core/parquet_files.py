"""Parquet files of a release: a damaged one is an error that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectory.core.errors import ReleaseError

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of the block, which reads the file, into a `ReleaseError`; those of the system stay."""
    import pyarrow as pa  # not for those that import a module that reads releases, as `predict` does

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        line = re.sub(r"^Could not open .*?': ", "", str(error).strip().partition("\n")[0])
        raise ReleaseError(
            f"{str(path)!r} is damaged ({line}): restore it from a copy, or remove its folder and build again"
        ) from None


def read_rows(path: Path, **options: Any) -> pa.Table:
    """Read a file, as `pyarrow.parquet.read_table` does. Raises `ReleaseError` for a damaged one."""
    import pyarrow.parquet as pq

    with readable(path):
        table = pq.read_table(path, **options)
        table.validate(full=True)  # for example, that texts are UTF-8
    return table
