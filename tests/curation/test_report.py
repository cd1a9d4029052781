"""The report of a release: what it says, what it costs, and what it does with bad input."""

import itertools
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.core.errors import ReleaseError
from curation.release import columns
from curation.report import bins, write
from curation.report.__main__ import main
from curation.report.contents import open_release
from curation.report.picks import Lowest, hashes
from curation.report.scan import scan
from curation.report.vocabulary import Vocabulary
from tests.curation import release_fixture


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return release_fixture.make(tmp_path_factory.mktemp("data") / "reddit-emotion" / "1.0.0", leakage="paper")


@pytest.fixture(scope="module")
def page(release):
    return write(release).read_text()


@pytest.fixture
def small(tmp_path):
    return release_fixture.make(tmp_path / "data" / "reddit-emotion" / "1.0.0", posts=40, images=False)


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def text_of(page):
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S))
    )


@pytest.mark.slow
def test_the_page_has_every_part_and_its_checks_pass(page):
    sections = re.findall(r'<section id="(\w+)"', page)
    expected = "classes waterfall distributions words duplicates random borderline dropped browse colophon"
    assert sections == expected.split()
    assert (page.count('<li class="ok">'), page.count('<li class="bad">')) == (4, 0)
    assert "Monroe, Colaresi" in page


def test_the_figures_are_those_of_the_manifest(release, page):
    manifest = json.loads((release / "manifest.json").read_text())
    text = text_of(page)
    for name in manifest["classes"]:
        counts = [manifest["counts"][split][name] for split in ("train", "validation", "test")]
        assert f"{name} {' '.join(map(str, counts))} {sum(counts)}" in re.sub(r" +", " ", text)
    twins = manifest["twins"]["test"]
    tests = sum(manifest["counts"]["test"].values())
    assert twins > 0
    assert f"{twins} of {tests} test posts" in text
    assert f"{manifest['ledger']['collected']} posts collected = {manifest['ledger']['kept']} kept" in text


def test_the_waterfall_adds_up(release, page):
    table = page[page.index('id="waterfall"') : page.index('id="distributions"')]
    numbers = [int(n.replace("\u2212", "-")) for n in re.findall(r'<td class="n">(\u2212\d+)</td>', table)]
    left = [int(n) for n in re.findall(r'<td class="n strong">(\d+)</td>', table)]
    assert left[0] + sum(numbers[:-1]) == left[-1]
    assert numbers[-1] == sum(numbers[:-1])


def test_the_same_release_gives_the_same_bytes(release, page):
    assert write(release).read_text() == page
    assert sorted(path.name for path in release.iterdir() if path.suffix in (".html", ".tmp")) == [
        "report.html"
    ]


def test_no_title_becomes_markup(page):
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=" in page
    assert (page.count("<script>"), page.count("<script "), page.count("</script>")) == (1, 1, 2)
    assert "\u202e" not in page and "\x00" not in page


def test_flagged_images_and_their_twins_are_veiled(release, page):
    flagged = scan(open_release(release)).flagged
    assert flagged > 0
    veiled = re.findall(r'<button class="frame veil"[^>]*of post ([^:]+:\w+)', page)
    gore = re.findall(r"r/gore/comments/(\w+)/", page)
    assert {f"reddit:{post}" for post in gore if f"Image of post reddit:{post}" in page} == set()
    assert len(veiled) > 10


def test_a_text_only_release_has_a_report(small):
    page = write(small).read_text()
    assert "Longer side of the images" not in page
    assert "no image" in page


def test_a_release_that_contradicts_its_manifest_says_so(small):
    manifest = json.loads((small / "manifest.json").read_text())
    manifest["counts"]["train"]["joy"] += 1
    manifest["ledger"]["kept"] += 1
    edit(small, counts=manifest["counts"], ledger=manifest["ledger"])
    page = write(small).read_text()
    assert page.count('<li class="bad">') == 2


def test_bad_input_is_one_line_and_the_old_report_stays(small, capsys):
    datasets = small.parents[1]
    write(small)
    before = (small / "report.html").read_bytes()
    assert main(["redit-emotion", "--datasets", str(datasets)]) == 2
    assert main(["reddit-emotion", "--version", "3.0.0", "--datasets", str(datasets)]) == 2
    (train,) = small.glob("train-*")
    train.rename(small / "hidden")
    assert main(["reddit-emotion", "--datasets", str(datasets)]) == 2
    train.write_bytes(b"PAR1 no more")
    assert main(["reddit-emotion", "--datasets", str(datasets)]) == 2
    (small / "manifest.json").write_text("{")
    assert main(["reddit-emotion", "--datasets", str(datasets)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[0] == (
        f"error: 'redit-emotion' is not built in {str(datasets)!r} (built: reddit-emotion): "
        "did you mean reddit-emotion?"
    )
    assert lines[1].endswith("has no version '3.0.0'; it has 1.0.0")
    assert "is missing, though the manifest lists it" in lines[2]
    assert "can't be read as Parquet" in lines[3]
    assert "manifest.json: the file: Invalid JSON" in lines[4]
    assert (small / "report.html").read_bytes() == before


def test_a_missing_column_and_a_wrong_label_are_named(small):
    (train,) = small.glob("train-*")
    table = pq.read_table(train)
    pq.write_table(table.drop_columns(["score"]), train)
    with pytest.raises(ReleaseError, match="lacks score"):
        write(small)
    place = table.schema.get_field_index("label")
    pq.write_table(table.set_column(place, "label", pa.array([9] * len(table))), train)
    with pytest.raises(ReleaseError, match="a label outside 0 to 3"):
        write(small)


def test_the_newest_version_is_the_default(small, capsys):
    for version in ("1.9.0", "1.10.0"):
        release_fixture.make(small.parent / version, posts=20, images=False)
    assert main(["reddit-emotion", "--datasets", str(small.parents[1])]) == 0
    assert "1.10.0/report.html" in capsys.readouterr().out


def test_what_is_drawn_doesnt_depend_on_the_order_of_the_rows():
    keys = [f"reddit:{i}" for i in range(5000)]
    values = np.arange(5000) % 7
    drawn = []
    for seed in range(3):
        order = np.array(random.Random(seed).sample(range(5000), 5000))
        lowest = Lowest(9)
        for part in np.array_split(order, 5 + seed):
            lowest.offer(0, part, hashes([keys[i] for i in part]), values[part])
        drawn.append(lowest.places)
    assert drawn[0] == drawn[1] == drawn[2]
    assert {values[row] for _, row in drawn[0]} == {0}


def test_log_odds_are_those_of_the_paper():
    vocabulary = Vocabulary(2)
    vocabulary.add(0, ["Sun sun, sun! It's", None, "the"])
    vocabulary.add(1, ["rain the the rain It’s"])
    assert vocabulary.counts[0] == {"sun": 3, "it's": 1, "the": 1}
    assert vocabulary.distinctive(5, 2) == [[], []]  # too few words for z to reach 1.96
    vocabulary.add(0, ["sun"] * 400)
    vocabulary.add(1, ["rain"] * 400)
    ((sun,), (rain,)) = vocabulary.distinctive(5, 2)
    assert (sun.word, sun.here, sun.elsewhere, rain.word, rain.here) == ("sun", 403, 0, "rain", 402)
    # y = 403 of n = 405, y' = 0 of n' = 405, a = 500, a_w = 500 * 403 / 810
    prior = 500 * 403 / 810
    first, second = 403 + prior, prior
    delta = math.log(first / (905 - first)) - math.log(second / (905 - second))
    assert sun.z == pytest.approx(delta / math.sqrt(1 / first + 1 / second))


@pytest.mark.parametrize("values", [[1], [1, 2, 3], [100, 7000], [5, 5, 5, 2_000_000], list(range(1, 400))])
def test_bins_hold_every_value_once(values):
    counts = {value: values.count(value) for value in values}
    for made in (bins.linear(counts), bins.logarithmic(min(values), max(values))):
        assert sum(bins.fill(counts, made)) == len(values)
        assert all(first[1] + 1 == second[0] for first, second in itertools.pairwise(made))
        assert made[0][0] <= min(values) <= max(values) <= made[-1][1]
        assert len(made) <= 50


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_images_that_are_not_shown_cost_no_memory(small):
    before = peak_memory(small)
    (train,) = small.glob("train-*")
    table = pq.read_table(train)
    rows, size = 400, 500_000
    many = pa.concat_tables([table] * (rows // len(table) + 1)).slice(0, rows)
    place = many.schema.get_field_index("image")
    noise = random.Random(0).randbytes(size)
    images = [{"bytes": noise, "path": f"{i}.jpg"} for i in range(rows)]
    many = many.set_column(place, many.schema.field("image"), pa.array(images, columns.IMAGE))
    pq.write_table(many, train, row_group_size=20, compression="none", use_dictionary=False)
    assert train.stat().st_size > rows * size
    assert peak_memory(small) - before < rows * size / 2


def peak_memory(folder):
    program = (
        "import sys; from pathlib import Path; from curation.report import write; write(Path(sys.argv[1]));"
        "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    command = [sys.executable, "-c", program, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024
