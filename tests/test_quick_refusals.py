"""Names and paths that don't exist are refused before torch is imported, which takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.baselines import small

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, sys
from affectory.cli import main
for given in json.loads(sys.argv[1]):
    assert main(given) == 2, given
    assert not {"torch", "datasets", "transformers"} & set(sys.modules), given
"""

BUILT = (
    "is not built in 'datasets' (built: mine): there is no recipe of that name either; the recipes are "
    "flickr-emotion, flickr-emotion-multitask, mami, met-meme, reddit-emotion, "
    "reddit-emotion-strict, reddit-emotion-text, sandbox-memes, vso"
)
WEIGHTS = "there is no weights file 'w.pth': give a .safetensors or .pth file, or random"
CHECKPOINT = "affectory run NAME writes them to results/NAME/VERSION/checkpoints"

#: What is typed, and what is wrong with it.
REFUSED = {
    "run x": f"'x' {BUILT}",
    "run vso": "'vso' is not built in 'datasets' (built: mine): affectory build vso",
    "run mien": "'mien' is not built in 'datasets' (built: mine): did you mean mine?",
    "run mine --version 1.0.1": "datasets/mine has no version '1.0.1': it has 1.0.0",
    "run mine --models jiont": "there is no model 'jiont'; did you mean joint?",
    "run mine --set jiont.lr=1": "there is no model 'jiont'; did you mean joint?",
    "run mine --preset duong": "there is no --preset 'duong'; did you mean duong2017?",
    "run mine --weights w.pth": WEIGHTS,
    "missing mien": "'mien' is not built in 'datasets' (built: mine): did you mean mine?",
    "missing mine --weights w.pth": WEIGHTS,
    "predict x.pt": f"there is no checkpoint 'x.pt': {CHECKPOINT}",
    "predict here --image a.jpg": "--image 'a.jpg' is not a file",
    "predict here --weights w.pth": "--weights 'w.pth' doesn't exist: give a .safetensors or .pth file",
    "models jiont": "there is no model 'jiont'; did you mean joint?",
    "report mett-meme": "'mett-meme' is not built in 'datasets' (built: none): did you mean met-meme?",
}


@pytest.mark.slow
def test_a_mistyped_name_is_refused_before_torch_is_imported(tmp_path):
    small.release(tmp_path / "datasets" / "mine", {split: [] for split in ("train", "validation", "test")})
    (tmp_path / "here").touch()
    given = json.dumps([typed.split() for typed in REFUSED])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines() == [f"error: {told}" for told in REFUSED.values()]
    assert (done.returncode, done.stdout) == (0, "")
