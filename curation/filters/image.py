"""Posts without an image."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate

#: The reason for which a row is dropped, by the status of its image in the store.
REASONS = {
    "none": "no_image",
    "not_image": "no_image",
    "gone": "image_gone",
    "failed": "image_broken",
    "refused": "image_refused",
    "pending": "image_not_fetched",
}


class HasImage(Options):
    """Drop posts without an image: none linked, or none of the linked ones stored.

    With `linked_is_enough` a post that linked an image is kept, fetched or not.
    """

    use: Literal["image"]
    linked_is_enough: bool = False


def apply(table: pa.Table, options: HasImage) -> tuple[pa.Table, pa.Table]:
    """Drop rows whose image isn't stored; with `linked_is_enough` only those without a link to an image.

    The detail is the collector's reason (`video`, `not_found`, `server_error`, …).
    """
    statuses = table["media_status"].to_pylist()
    details = [
        reason or status for status, reason in zip(statuses, table["media_reason"].to_pylist(), strict=True)
    ]
    no_image = [REASONS.get(status) == "no_image" for status in statuses]
    keep = [
        not none if options.linked_is_enough else status == "stored"
        for none, status in zip(no_image, statuses, strict=True)
    ]
    return separate(table, keep, options.use, [REASONS.get(status, "") for status in statuses], details)


FILTER = Filter(HasImage, apply)
