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


def test_a_table_with_a_header_and_no_rows_is_noted(capsys, tmp_path):
    (tmp_path / "x.csv").write_text("id,title,url,subreddit\n")
    place = ["--path", tmp_path / "x.csv", "--store", tmp_path / "s"]
    code, out, _ = run(capsys, "--subs", "happy", "--source", "index", *place)
    assert (code, f"note    {str(tmp_path / 'x.csv')!r} holds no row\n" in out) == (0, True)


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
