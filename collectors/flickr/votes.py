"""The vote tables of You et al. 2016: photos, and how many annotators agreed with an emotion.

    amusement_….csv
    0,http://farm9.static.flickr.com/8383/8674318733_0f4c8d1f5d_z.jpg,1,4
      url                                          disagree ──┘ └── agree

There is no header; the emotion is the beginning of the file's name. Five annotators were asked whether a
photo evokes the emotion by which it was found (You, Luo, Jin, Yang 2016, "Building a Large Scale Dataset for
Image Emotion Recognition"). `votes` maps an emotion to the number who agreed, and `votes_total` is the number
of annotators asked about the leading emotion, whose agreement is `votes[emotion] / votes_total`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from affectory.core.errors import InputError
from affectory.core.numbers import count
from collectors.flickr.listed import Listed
from collectors.flickr.lists import Lists, named_after
from collectors.flickr.urls import target_of

_COUNT = re.compile(r"\d{1,6}", re.ASCII)


def read_votes(paths: Sequence[Path]) -> Lists:
    """Read vote tables, one emotion per file. Bad rows and empty tables are added to `rejected`.

    Raises `InputError` for a table whose rows are all bad, and if all tables are empty.
    """
    lists = Lists()
    for path in paths:
        emotion = named_after(path)
        if emotion not in lists.communities:
            lists.communities.append(emotion)
        with lists.reading("--votes", path):
            for number, line, fields in lists.rows(path):
                _row(lists, path, number, line, fields, emotion)
    if not lists.photos:
        raise InputError(f"--votes {', '.join(repr(str(path)) for path in paths)}: no table holds a row")
    return lists


def _row(lists: Lists, path: Path, number: int, line: str, fields: Sequence[str], emotion: str) -> None:
    if len(fields) != 4:
        why = f"{count(len(fields), 'column')}, not 4 (_, url, disagree, agree): {line[:60]!r}"
        return lists.reject("bad_row", path, number, why)
    _, url, *counts = fields
    unread = [one for one in counts if not _COUNT.fullmatch(one)]
    if unread:
        return lists.reject("bad_row", path, number, f"{unread[0][:40]!r} is not a number of votes")
    target = target_of(url)
    if target is None:
        return lists.reject("no_flickr_photo", path, number, f"{url[:80]!r} is not a Flickr photo")
    disagree, agree = map(int, counts)
    known = lists.photos.get(target.photo_id)
    if known is not None and emotion in known.votes:
        lists.skipped["rows_of_a_photo_listed_before"] += 1  # the first row of an emotion counts
    else:
        lists.add(Listed(target.photo_id, target.url, {emotion: agree}, disagree + agree))
    return None
