"""Other libraries' search for near-duplicates; runs with the Python that has them, without ours.

    PYTHON -I benchmarks/_deduplicators.py files FOLDER      imagededup: from JPEGs to groups
    PYTHON -I benchmarks/_deduplicators.py hashes FOLDER     imagededup: from FOLDER/hashes.json to groups
    PYTHON -I benchmarks/_deduplicators.py titles FOLDER     semhash: from FOLDER/titles.json to groups

For each line of its input it does the task and prints a line of JSON: wall and processor time, without
imports and the reading of the JSON, and pairs of names (or numbers) that are near-duplicates. imagededup is
asked for no workers of its own.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any


def processor() -> float:
    """Return the processor time of this process and of the workers that have ended, in seconds."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def images(folder: Path, task: str) -> tuple[float, float, list[tuple[Any, Any]]]:
    """Let imagededup find JPEGs, or hashes, that are at most 3 bits apart."""
    from imagededup.methods import DHash

    logging.disable(logging.INFO)  # a line for each step
    method = DHash(verbose=False)
    given: dict[str, Any] = {"image_dir": folder / "files", "num_enc_workers": 0}
    if task == "hashes":
        hashes = json.loads((folder / "hashes.json").read_text())
        given = {"encoding_map": {str(number): text for number, text in enumerate(hashes)}}
    wall, cpu = time.perf_counter(), processor()
    found = method.find_duplicates(**given, max_distance_threshold=3, num_dist_workers=0)
    spent = time.perf_counter() - wall, processor() - cpu
    return *spent, [(name, other) for name, others in found.items() for other in others if name < other]


def titles(folder: Path) -> tuple[float, float, list[tuple[Any, Any]]]:
    """Let semhash find titles whose embeddings are near: random ones, which take as long as trained ones."""
    import numpy as np
    from model2vec import StaticModel
    from semhash import SemHash
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    texts = json.loads((folder / "titles.json").read_text())
    words = ["[UNK]", *sorted({word for text in texts for word in text.lower().split()})]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(words), 256)).astype(np.float32)
    model = StaticModel(vectors, tokenizer, normalize=True)
    wall, cpu = time.perf_counter(), processor()
    found = SemHash.from_records(texts, model=model).self_deduplicate()
    spent = time.perf_counter() - wall, processor() - cpu
    return *spent, [(one.record, one.duplicate_of) for one in found.filtered]


def main(task: str, folder: Path) -> None:
    """Do the task and print what it found, whenever it is told to."""
    for _ in sys.stdin:
        wall, cpu, pairs = titles(folder) if task == "titles" else images(folder, task)
        print(json.dumps({"seconds": wall, "cpu": cpu, "pairs": pairs}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
