"""What the results of the Python API show in a notebook: a few small tables, escaped.

    def _repr_html_(self) -> str:
        return snippet("met-meme 1.0.0", splits(counts), notes=["…"], paths={"release": folder})

The page's own style sheet isn't there, so that a cell looks like the notebook's other output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from affectory.core.html.markup import Html, h


def snippet(
    title: str, *parts: Html, notes: Iterable[str] = (), paths: Mapping[str, object] | None = None
) -> Html:
    """Return a title in bold, the parts, and lines of notes and paths."""
    lines = [h("div", note) for note in notes]
    lines += [h("div", f"{name}: ", h("code", path)) for name, path in (paths or {}).items()]
    return h("div", h("p", h("b", title)), *parts, *lines)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> Html:
    """Return a table whose first column is a name."""
    return h(
        "table",
        h("caption", caption) if caption else None,
        h("thead", h("tr", *(h("th", name, scope="col") for name in head))),
        h(
            "tbody",
            *(h("tr", h("th", name, scope="row"), *(h("td", one) for one in cells)) for name, *cells in rows),
        ),
    )


def splits(counts: Mapping[str, Mapping[str, int]]) -> Html:
    """Return a table of the rows by split and label."""
    labels = list(dict.fromkeys(label for by_label in counts.values() for label in by_label))
    rows = [
        (split, f"{sum(by_label.values()):,}", *(f"{by_label.get(label, 0):,}" for label in labels))
        for split, by_label in counts.items()
    ]
    return table(["split", "all", *labels], rows)
