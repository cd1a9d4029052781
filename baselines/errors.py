"""What goes wrong for a user of the baselines: one line that says what to do."""

from __future__ import annotations


class BaselineError(ValueError):
    """A release, weights, vectors or a choice that can't be used. The message is the whole story."""
