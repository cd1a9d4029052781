"""Lists of photos by their ids.

A text file has one photo a line: its id, its page's address or its file's. A CSV table has a header with the
column `id`, which holds the same, and optionally these:

    id,url,community
    8674318733,https://live.staticflickr.com/8383/8674318733_0f4c8d1f5d_z.jpg,amusement

`url` is the address of the file to fetch, `community` the photo's community in the store (`photos` where it
is empty). Other columns are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from affectory.core.errors import InputError
from affectory.core.numbers import count
from collectors.flickr.listed import Listed
from collectors.flickr.lists import Lists
from collectors.flickr.urls import target_of


def read_ids(paths: Sequence[Path]) -> Lists:
    """Read lists of ids. A bad row is rejected with its line, and so is an empty list.

    Raises `InputError`, also for a table without the column `id`, for a list with rows of which none is good,
    and if all lists are empty.
    """
    lists = Lists()
    for path in paths:
        with lists.reading("--ids", path):
            if path.suffix.lower() == ".csv":
                _table(lists, path)
            else:
                _lines(lists, path)
    if not lists.photos:
        raise InputError(f"--ids {', '.join(repr(str(path)) for path in paths)}: no list holds a row")
    lists.communities = list(dict.fromkeys(listed.community for listed in lists.photos.values()))
    return lists


def _lines(lists: Lists, path: Path) -> None:
    for number, line in lists.lines(path):
        if line.strip() and not line.startswith("#"):
            _add(lists, path, number, {"id": line})


def _table(lists: Lists, path: Path) -> None:
    columns: list[str] = []
    for number, line, fields in lists.rows(path):
        if not columns:
            columns = fields
            if "id" not in columns:
                raise InputError(
                    f"{str(path)!r} has no column 'id'; it has {', '.join(map(repr, columns))}: "
                    "name the column of the ids 'id', or give a text file of ids"
                )
        elif len(fields) != len(columns):
            why = f"{count(len(fields), 'column')}, not {len(columns)} as in the header: {line[:60]!r}"
            lists.reject("bad_row", path, number, why)
        else:
            _add(lists, path, number, dict(zip(columns, fields, strict=True)))


def _add(lists: Lists, path: Path, number: int, row: Mapping[str, str]) -> None:
    shown, url = row["id"].strip(), row.get("url", "")
    photo = target_of(shown)
    file = target_of(url) if url else photo
    if photo is None or file is None:
        return lists.reject(
            "no_flickr_photo", path, number, f"{(url if photo else shown)[:80]!r} is not a Flickr photo"
        )
    if file.photo_id != photo.photo_id:
        return lists.reject("bad_row", path, number, f"{url[:80]!r} is another photo than {shown[:80]!r}")
    return lists.add(Listed(photo.photo_id, file.url or photo.url, listed_as=row.get("community") or None))
