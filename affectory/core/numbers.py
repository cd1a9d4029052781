"""Numbers as text for people: 1,234; 12.3%; 1 post, 2 posts."""

from __future__ import annotations


def number(value: float, digits: int = 0) -> str:
    """Return a number with thousands separators and a minus sign: 1,234, −5."""
    return f"{value:,.{digits}f}".replace("-", "\u2212")


def percent(part: float, whole: float) -> str:
    """Return a share in percent, 0% of nothing: 12.3%, <0.1%, >99.9%."""
    if not whole or not part:
        return "0%"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1%"
    if 99.9 < share < 100:
        return ">99.9%"
    return f"{share:.1f}%" if share < 99.95 else "100%"


def count(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun (`many` defaults to `one` with an s): 1 post, 2 posts."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"
