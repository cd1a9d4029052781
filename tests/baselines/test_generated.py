"""Results on generated posts say that they are none, wherever a figure is shown."""

import io
import json

import msgspec
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from baselines import predict, run
from baselines.data.release import load
from baselines.results.page import write as write_page
from baselines.results.schema import read
from baselines.results.tables import markdown, show
from baselines.training.checkpoint import read as read_checkpoint
from tests.baselines import run_fixture, small
from tests.baselines.test_page import posts

pytestmark = pytest.mark.slow

NOTE = "generated posts: not results"


def marked(datasets, generated=None):
    """A release whose manifest counts so many generated posts (default: all)."""
    small.sandbox(datasets, 120)
    path = datasets / "reddit-emotion" / "1.0.0" / "manifest.json"
    found = json.loads(path.read_text())
    rows = found["ledger"]["kept"]
    path.write_text(json.dumps(found | {"generated": rows if generated is None else generated}))
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which the text model was trained on generated posts; stdout.txt has what was printed."""
    folder = tmp_path_factory.mktemp("generated")
    marked(folder / "datasets")
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    quick = ["--models", "text", "--seeds", "1", "--set", "text.epoch=1", "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out := io.StringIO())
        assert run.main(["reddit-emotion", *places, *quick]) == 0
    (folder / "stdout.txt").write_text(out.getvalue())
    return folder


def test_a_run_says_it_in_terminal_table_page_results_and_predictions(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    assert (home / "stdout.txt").read_text().splitlines()[1] == NOTE
    assert (folder / "table.md").read_text().splitlines()[:3] == [
        "# reddit-emotion 1.0.0",
        "",
        f"**{NOTE}**",
    ]
    header = f'<main><header id="top"><p class="verdict bad"><b>{NOTE}</b></p>'
    assert header in (folder / "results.html").read_text()
    assert json.loads((folder / "results.json").read_bytes())["dataset"]["generated"] == NOTE
    assert pq.read_schema(folder / "predictions.parquet").metadata == {b"note": NOTE.encode()}


def test_a_model_of_generated_posts_says_so_beside_its_answer(home, capsys):
    path = home / "out" / "reddit-emotion" / "1.0.0" / "checkpoints" / "text-seed0.pt"
    assert read_checkpoint(path).generated == NOTE
    assert predict.main([str(path), "--text", "So happy a day"]) == 0
    said = capsys.readouterr()
    assert said.err == f"note: {NOTE} (this model's training data)\n"
    assert len(said.out.splitlines()) == 4


def test_a_release_in_part_generated_is_named_with_its_share(tmp_path):
    rows = marked(tmp_path, 24)
    release = load("reddit-emotion", tmp_path, cache=tmp_path / "cache")
    assert release.generated == f"24 of {rows} posts are generated: not results"
    dataset = msgspec.structs.replace(run_fixture.results().dataset, generated=release.generated)
    text = markdown(run_fixture.results(dataset=dataset))
    assert text.splitlines()[:5] == [
        "# reddit-emotion 1.0.0",
        "",
        f"**24 of {rows} posts are generated: not results**",
        "",
        "325 test posts, 5 seeds",
    ]


def test_results_on_real_posts_and_those_of_earlier_programs_say_nothing(tmp_path):
    folder = run_fixture.make(tmp_path / "results")
    earlier = json.loads((folder / "results.json").read_bytes())
    del earlier["dataset"]["generated"]
    (folder / "results.json").write_text(json.dumps(earlier))
    results = read(folder)
    show(results, Console(file=(out := io.StringIO()), width=120))
    page = write_page(folder, posts).read_text()
    assert "not results" not in out.getvalue() + markdown(results) + page
    small.sandbox(tmp_path / "datasets", 60)
    assert load("reddit-emotion", tmp_path / "datasets", cache=tmp_path / "cache").generated == ""
