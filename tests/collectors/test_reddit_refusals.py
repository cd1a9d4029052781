"""What the command of Reddit's collector refuses: one line, and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collectors.reddit_runs import oauth, run, without_credentials


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    without_credentials(monkeypatch, tmp_path)


def test_without_credentials_the_message_names_the_ways_on(capsys):
    code, out, err = run(capsys, "--subs", "happy", "--source", "oauth")
    assert (code, out, err.count("\n")) == (2, "", 1)
    for way in ("support.reddithelp.com", "--source archive", "--source dump", "--source index", "--sandbox"):
        assert way in err
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subs"], "error: --subs is empty: name at least one subreddit, as in --subs happy creepy\n"),
        (
            ["--subs", "not a name"],
            "error: --subs 'not a name' is not a subreddit's name: 2 to 32 letters, digits and '_', u_USER, "
            "or an address with /r/NAME or /user/USER\n",
        ),
        (["--subs", "happy", "--limit", "0"], "error: --limit 0 is below 1\n"),
        (["--subs", "happy", "--source", "index"], "error: --source index needs --path FILE_OR_FOLDER\n"),
        (
            ["--subs", "happy", "--source", "dump", "--path", "no.zst"],
            "error: --path 'no.zst' doesn't exist\n",
        ),
        (
            ["--subs", "happy", "--source", "dump", "--path", "."],
            "error: --path '.' holds no .zst, .gz, .xz, .jsonl, .ndjson or .json file\n",
        ),
        (
            ["--subs", "r/all", "--source", "archive"],
            "error: --subs all is a listing of Reddit's, not a subreddit: use --source oauth, or name the "
            "subreddits\n",
        ),
        (
            ["--subs", "happy", "--sandbox", "--path", "x"],
            "error: --path can be used with --source dump or index, not with auto\n",
        ),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(capsys, arguments, message):
    assert run(capsys, *arguments) == (2, "", message)


def test_a_store_that_is_a_file_is_one_line(capsys, tmp_path, sandbox):
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "--subs", "happy", *oauth(sandbox), "--store", tmp_path / "file")
    assert (code, err) == (2, f"error: {str(tmp_path / 'file')!r} is a file: name a folder for the store\n")


def test_an_empty_dump_is_one_line(capsys, tmp_path):
    (tmp_path / "x.zst").write_bytes(b"")
    code, out, err = run(capsys, "--subs", "happy", "--source", "dump", "--path", "x.zst")
    assert (code, out) == (2, "")
    assert err == "error: 'x.zst' is empty: download it again, or leave it out\n"


def test_a_table_without_the_needed_columns_is_one_line(capsys, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    code, _, err = run(capsys, "--subs", "happy", "--source", "index", "--path", tmp_path / "x.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "has no column 'id'; it has 'a', 'b', and needs id, title, url, subreddit" in err


@pytest.mark.parametrize(
    ("name", "text"), [("x.csv", "id,title,url,subreddit\n"), ("x.txt", "# ids\n\n"), ("x.txt", "")]
)
def test_a_list_without_rows_is_one_line_and_is_noted_beside_others(capsys, tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    common = ["--subs", "happy", "--source", "index", "--no-media", "--store", tmp_path / "s", "--path", path]
    assert run(capsys, *common) == (
        2,
        "",
        f"error: there are no rows in {str(path)!r}: is it the right file?\n",
    )
    (tmp_path / "y.csv").write_text("id,title,url,subreddit\na1b2,one,https://example.org/,happy\n")
    code, out, _ = run(capsys, *common, tmp_path / "y.csv")
    assert (code, f"note    {str(path)!r} holds no row\n" in out) == (0, True)


@pytest.mark.parametrize(
    ("name", "rows", "why"),
    [
        (
            "x.csv",
            ['a1b2,"one,https://example.org/,happy', "a1b3,two,happy"],
            "of 'PATH' can be used: unclosed quote: x.csv, line 2: a cell begins with a quote and doesn't "
            "end with one; wrong number of columns: x.csv, line 3",
        ),
        (
            "x.csv",
            ["a1b2,,https://example.org/,happy", "a1b3,two,happy", "!,b,c,d"],
            "of 'PATH' can be used: no title: x.csv, line 2: a1b2; wrong number of columns: x.csv, "
            "line 3; bad id: x.csv, line 4: !",
        ),
        (
            "x.txt",
            [f"number {n}" for n in range(2, 8)],
            "of 'PATH' can be used: no id: x.txt, line 1: 'id,title,url,subreddit'; "
            + "".join(f"no id: x.txt, line {n}: 'number {n}'; " for n in range(2, 6))
            + "…",
        ),
    ],
)
def test_a_list_of_which_no_row_can_be_used_is_one_line(capsys, tmp_path, name, rows, why):
    (tmp_path / "y.txt").write_text("a1b2c3\n")
    path = tmp_path / name
    path.write_text("\n".join(["id,title,url,subreddit", *rows, ""]))
    code, out, err = run(
        capsys,
        "--subs",
        "happy",
        "--source",
        "index",
        "--store",
        tmp_path / "s",
        "--path",
        tmp_path / "y.txt",
        path,
    )
    assert (code, out, err) == (2, "", f"error: no row {why.replace('PATH', str(path))}\n")


def test_a_dump_of_which_no_line_can_be_used_is_one_line(capsys, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "a", "subreddit": "happy", "body": "a comment"}\n{\n')
    common = ["--subs", "happy", "--source", "dump", "--path", path, "--store", tmp_path / "s"]
    why = "no title: x.jsonl, line 1: a; unreadable line: x.jsonl, line 2: Input data was truncated"
    assert run(capsys, *common) == (2, "", f"error: no line can be used: {why}\n")
    path.write_text('{"id": "a", "subreddit": "aww", "title": "t"}\n{\n')
    assert run(capsys, *common, "--no-media")[0] == 0


def test_an_unknown_subreddit_alone_is_exit_code_2_and_beside_others_1(capsys, tmp_path, sandbox):
    common = [*oauth(sandbox), "--no-media", "--store", tmp_path / "s"]
    code, out, _ = run(capsys, "--subs", "nosuchsubreddit", *common)
    line = "problem r/nosuchsubreddit: there is no subreddit of that name; check the spelling"
    assert (code, line in out) == (2, True)
    code, out, _ = run(capsys, "--subs", "nosuchsubreddit", "happy", *common)
    assert (code, line in out, "asked 203 = 203 new" in out) == (1, True, True)


@pytest.mark.slow
def test_wrong_credentials_are_one_line(capsys, tmp_path, sandbox):
    Path("praw.ini").write_text(
        "[DEFAULT]\nclient_id=wrong\nclient_secret=secret-of-the-app\n"
        f"oauth_url={sandbox}/oauth.reddit.com/\nreddit_url={sandbox}/www.reddit.com\n"
    )
    environment = os.environ | {
        "PRAW_ALLOW_ENDPOINT_OVERRIDE": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "collectors.reddit", "--subs", "happy", "--store", "s"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (
        2,
        "source  oauth: there are credentials of a Reddit app in praw.ini or the environment\n",
    )
    assert done.stderr.startswith("error: r/happy: Reddit refuses the credentials")
    assert done.stderr.endswith("or do without: --source archive\n")
    assert "secret-of-the-app" not in done.stderr
