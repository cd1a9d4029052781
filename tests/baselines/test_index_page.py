"""The index of all results."""

import re
from concurrent.futures import ThreadPoolExecutor

import msgspec

from baselines.results.page import index_page
from tests.baselines import missing_fixture, run_fixture
from tests.baselines.test_page import text_of


def lines(page):
    """The texts of the lines of each table, cell by cell."""
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    ]


def test_runs_are_listed_by_dataset_and_date_with_the_best_model_and_chance(tmp_path):
    later = run_fixture.make(tmp_path / "reddit-emotion" / "1.0.0", report="../../../x/report.html")
    run_fixture.make(tmp_path / "reddit-emotion" / "1.0.0-folds5", date="2026-11-01")
    run_fixture.make_memes(tmp_path / "mami" / "1.0.0")
    missing_fixture.make(tmp_path / "reddit-emotion" / "1.0.0-missing")
    (later / "results.html").write_text("")
    page = index_page.write(tmp_path).read_text()
    best = ["Common space fusion (max)", "accuracy", "87.2 ± 1.2%", "34.5, 25.0%", "325", "6", "–"]
    assert lines(page)[:4] == [
        ["Run", "Date", "Best model", "Metric", "Score", "By chance", "Test posts", "Models", "Report"],
        [
            *("mami 1.0.0", "2026-11-22", "RAW-N-COOK, 30% labelled, preset slides", "F1 weighted"),
            *(".741 ± .012", ".414, .471", "200", "3", "–"),
        ],
        ["reddit-emotion 1.0.0-folds5", "2026-11-01", *best],
        ["reddit-emotion 1.0.0", "2026-11-22", *best],
    ]
    assert lines(page)[5][0] == "reddit-emotion 1.0.0-missinggenerated posts: not results"
    assert "4 runs on 2 datasets, by name and date." in text_of(page)
    assert re.findall(r'<a href="([^"#]+)"', page) == ["reddit-emotion/1.0.0/results.html"]


def test_a_link_is_there_where_its_page_is(tmp_path):
    report = tmp_path / "data sets" / "reddit-emotion" / "1.0.0" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("")
    results = tmp_path / "results"
    run_fixture.make(
        results / "reddit-emotion" / "1.0.0", report="../../../data sets/reddit-emotion/1.0.0/report.html"
    )
    page = index_page.write(results).read_text()
    assert '<a href="../data%20sets/reddit-emotion/1.0.0/report.html">report</a>' in page


def test_what_cant_be_read_has_a_line_and_stops_nothing(tmp_path):
    run_fixture.make(tmp_path / "reddit-emotion" / "1.0.0")
    old = run_fixture.make(tmp_path / "mami" / "0.9.0")
    (old / "results.json").write_text('{"schema": 1}')
    page = index_page.write(tmp_path).read_text()
    told = "results.json can't be read: repeat the command that wrote it"
    assert [line for line in lines(page) if line[0] == "mami 0.9.0"] == [
        ["mami 0.9.0", "–", told.replace("'", "&#x27;"), *["–"] * 6]
    ]
    assert len(lines(page)) == 3


def test_the_same_files_give_the_same_bytes(tmp_path):
    run_fixture.make(tmp_path / "reddit-emotion" / "1.0.0")
    before = index_page.write(tmp_path).read_bytes()
    assert index_page.write(tmp_path).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "reddit-emotion"]


def test_a_name_of_markup_stays_text(tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    rows = tuple(msgspec.structs.replace(row, title=hostile) for row in run_fixture.results().rows)
    run_fixture.make(tmp_path / "a & b" / "1.0.0", rows=rows)
    page = index_page.write(tmp_path).read_text()
    assert "<img" not in page and "a &amp; b 1.0.0" in page


def test_runs_that_end_at_the_same_time_write_it_one_after_the_other(tmp_path):
    run_fixture.make(tmp_path / "reddit-emotion" / "1.0.0")
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(index_page.write, [tmp_path] * 12))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "reddit-emotion"]
