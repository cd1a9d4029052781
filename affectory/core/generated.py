"""Generated posts, those of the sandbox: the note on their figures, and addresses that lead nowhere."""

from __future__ import annotations

#: Written wherever figures of generated posts are shown.
NOT_RESULTS = "generated posts: not results"

#: No such host exists: RFC 2606 reserves `.invalid`.
NOWHERE = "https://sandbox.invalid/"


def note(generated: int, rows: int, unit: str = "posts") -> str:
    """Return the note on a release of which `generated` of its `rows` are generated; "" where none is."""
    if generated in (0, rows):
        return NOT_RESULTS if generated else ""
    return f"{generated:,} of {rows:,} {unit} are generated: not results"


def nowhere(address: str) -> str:
    """Return `https://sandbox.invalid/HOST/PATH` for `https://HOST/PATH`; twice gives the same."""
    return address if address.startswith(NOWHERE) else NOWHERE + (address.partition("://")[2] or address)


def source_address(address: str) -> str:
    """Return the address that `nowhere` was given, as https; any other address unchanged."""
    return "https://" + address.removeprefix(NOWHERE) if address.startswith(NOWHERE) else address
