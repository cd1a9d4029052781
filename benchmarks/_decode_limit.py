"""Decode, shrink and encode the benchmark's pictures with Pillow alone: no network, no store, no files.

    python -m benchmarks._decode_limit '{"images": 3000, "processes": 2, "side": 256}'

It prints one line of JSON: the seconds in which all processes did it, and their processor time. The
operations are the collector's own (`collectors.crawl.decode`): libjpeg halves the size while it decodes.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

import msgspec
from PIL import Image

from collectors.sandbox.generated.numbered import POOL, SIZE, numbered


class Job(msgspec.Struct):
    """How many pictures to decode, in how many processes, and the longer side that they get."""

    images: int
    processes: int = 2
    side: int = 256


def shrink(data: bytes, size: tuple[int, int]) -> bytes:
    """Return a picture as a JPEG of this size."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", size)
        small = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=95)
        return out.getvalue()


def work(end: Connection, images: int, side: int) -> None:
    """Say that the pictures are there, wait, decode them, and send the processor time."""
    pictures = [numbered(number) for number in range(POOL)]
    size = (side, side * SIZE[1] // SIZE[0])
    shrink(pictures[0], size)
    end.send(None)
    end.recv()
    before = time.process_time()
    for number in range(images):
        shrink(pictures[number % POOL], size)
    end.send(time.process_time() - before)


def main(job: Job) -> dict[str, float]:
    """Decode in all processes at once."""
    ends = []
    for number in range(job.processes):
        ours, theirs = multiprocessing.Pipe()
        share = len(range(number, job.images, job.processes))
        multiprocessing.Process(target=work, args=(theirs, share, job.side), daemon=True).start()
        ends.append(ours)
    for end in ends:
        end.recv()
    began = time.perf_counter()
    for end in ends:
        end.send(None)
    cpu = sum(end.recv() for end in ends)
    return {"seconds": time.perf_counter() - began, "cpu": cpu}


if __name__ == "__main__":
    print(json.dumps(main(msgspec.json.decode(sys.argv[1], type=Job))))
