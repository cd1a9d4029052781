"""The notebook of the documentation runs from its first cell to its last."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "first-hour.ipynb"


def test_the_notebook_is_kept_without_its_outputs():
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_goes_from_four_subreddits_to_a_prediction(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")])))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found = nbformat.read(NOTEBOOK, as_version=4)
    found.metadata.kernelspec.name = "python3"
    client = NotebookClient(found, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.execute()
    shown = [
        "".join(str(dict(out.get("data", {}))) for out in cell.outputs)
        for cell in found.cells
        if cell.cell_type == "code"
    ]
    collected, built, loaded, post, trained, predicted = shown
    assert "<b>data/first-hour</b>" in collected
    assert "<b>reddit-emotion 1.0.0</b>" in built and "generated posts: not results" in built
    assert '<th scope="col">disgust</th>' in loaded
    assert "image/" in post
    assert "Always" in trained and "<table>" in trained
    assert all(name in predicted for name in ("joy", "fear", "anger", "disgust"))
