"""What a filter is: its options, and the function that keeps some rows and drops the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from affectory.core.tables import Table


class Options(Table):
    """One of a recipe's `[[filters]]`. A filter's own class sets `use` to its name and adds its keys."""

    use: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of the table `curation.filters.FILTERS`.

    `apply(rows, options)` returns the rows kept and the rows dropped, as `curation.filters.stage.separate`
    does with `options.use` as the stage. `rows` has the columns of `curation.filters.stage.ROWS`; `options`
    is an instance of `options`.
    """

    options: type[Options]
    apply: Callable[[pa.Table, Any], tuple[pa.Table, pa.Table]]
