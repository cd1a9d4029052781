"""Tables whose rows become blocks in a narrow window, with a label in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from affectory.core.html.markup import Html, h


def stacked(
    head: Mapping[str, str] | Sequence[str],
    rows: Iterable[Sequence[object]],
    cls: str = "",
    *,
    trivial: bool = False,
) -> Html:
    """Return a table that the reader can sort; its first column is a name.

    `head`: the heads, each with the CSS class of its column; numbers by default. With `trivial` the last row
    is the trivial prediction, which keeps its place.
    """
    named = dict(head) if isinstance(head, Mapping) else {}
    (first, *names), lines = list(head), list(rows)
    classes = [named.get(name, "n") for name in names]
    heads = [h("th", name, scope="col", cls=one) for name, one in zip(names, classes, strict=True)]
    body = []
    for row in lines:
        each = zip(row[1:], names, classes, strict=True)
        cells = [h("td", cell, cls=one, data_label=name) for cell, name, one in each]
        last = "trivial" if trivial and row is lines[-1] else None
        body.append(h("tr", h("th", row[0], scope="row"), *cells, cls=last))
    made = h(
        "table",
        h("thead", h("tr", h("th", first, scope="col"), *heads)),
        h("tbody", *body),
        cls=f"figures stacked sortable {cls}".rstrip(),
    )
    return h("div", made, cls="scroll")
