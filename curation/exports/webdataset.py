"""WebDataset: tar files with the files of each row one after the other, read as streams.

SPLIT-000000.tar holds, for each row, KEY.jpg (or .png, …), KEY.cls (the number of its class) and KEY.json
(all columns, the labels by name). All times and owners in the tar files are 0, so that the same release gives
the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from affectory.core.numbers import count
from affectory.core.progress import Steps
from curation.exports.exporter import Exported, Exporter, Row, Source, json_line

#: A tar file ends after so many rows or bytes.
_ROWS, _BYTES = 10_000, 500_000_000

_USE = """\
```python
import webdataset  # pip install webdataset
from pathlib import Path

shards = sorted(map(str, Path("FOLDER").glob("train-*.tar")))
train = webdataset.WebDataset(shards, shardshuffle=False).shuffle(1000).decode("pil")
for sample in train:
    sample["json"]  # post_id, text, label, licence, …
    sample.get("jpg")  # the image; its extension is that of its file: jpg, png, webp, gif
    sample.get("cls")  # the number of the class, as in `classes` of export.json
```

The rows are in the order of their ids: shuffle them for training."""


def _write(source: Source, out: Path, steps: Steps) -> Exported:
    written = Exported()
    without = unlabelled = 0
    for split in source.splits:
        for number, shard in enumerate(_shards(source.rows(split, steps))):
            with tarfile.open(out / f"{split}-{number:06}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
                for row in shard:
                    for suffix, data in _members(row):
                        member = tarfile.TarInfo(row.key + suffix)
                        member.size = len(data)
                        tar.addfile(member, io.BytesIO(data))
                    written.count(split, row)
                    without += row.image is None
                    unlabelled += row.target is None
        written.files[split] = f"{split}-*.tar"
    if without:
        written.notes.append(
            f"{count(without, 'row has', 'rows have')} no image: no image file in the sample"
        )
    if unlabelled:
        written.notes.append(
            f"{count(unlabelled, 'row has', 'rows have')} no label: no .cls file in the sample"
        )
    return written


def _members(row: Row) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a row, each with its suffix."""
    if row.image is not None:
        yield row.suffix, row.image
    if row.target is not None:
        yield ".cls", str(row.target).encode()
    yield ".json", json_line(row.values)


def _shards(rows: Iterator[Row]) -> Iterator[Iterator[Row]]:
    """Yield the rows of one tar file after the other; each is read to its end before the next."""
    ahead = next(rows, None)
    while ahead is not None:
        yield (shard := _Shard(ahead, rows))
        ahead = shard.next


class _Shard(Iterator[Row]):
    """The rows of a tar file. `next` is the first row of the following one, None at the end."""

    def __init__(self, first: Row, rows: Iterator[Row]) -> None:
        self.next: Row | None = first
        self._rows = rows
        self._left, self._bytes = _ROWS, 0

    def __next__(self) -> Row:
        if self.next is None or not self._left or self._bytes >= _BYTES:
            raise StopIteration
        row, self.next = self.next, next(self._rows, None)
        self._left -= 1
        self._bytes += len(row.image or b"")
        return row


EXPORTER = Exporter(_write, _USE)
