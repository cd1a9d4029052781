"""`affectory doctor`: which sources work here, and what each needs."""

import re
import socket
import subprocess
import sys

import pytest

from affectory.cli import main

REDDIT = "affectory collect reddit --subs happy"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder to type commands in, without credentials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("APPDATA", "praw_client_id", "praw_site", "FLICKR_API_KEY", "IMGUR_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def findings(capsys, *options, code=0):
    """Return the findings of each part by name: state, text and next step."""
    assert main(["doctor", *options]) == code
    parts = {}
    for line in capsys.readouterr().out.splitlines():
        if not line.startswith(" "):
            mine = parts.setdefault(line, {})
            continue
        state, name, says = re.split(r"  +", line.strip(), maxsplit=2)
        says, _, then = says.partition("; next: ")
        mine[name] = (state, says, then)
    return parts


def test_without_credentials_the_archive_works(home, sandbox, capsys):
    found = findings(capsys, "--sandbox-url", sandbox)
    nothing = (
        "--source auto takes the archive, which needs none; to have some, ask Reddit for approval: "
        "https://support.reddithelp.com/hc/en-us/articles/42728983564564"
    )
    key = (
        "a Pro account can get one: https://www.flickr.com/services/api/misc.api_keys.html; --no-text "
        "fetches images without one"
    )
    none = "neither in praw.ini nor in the environment"
    assert found["Sources"] == {
        "reddit, oauth": ("missing", f"needs Reddit's credentials: {none}", nothing),
        "reddit, archive": ("ok", f"{REDDIT} --source archive", ""),
        "reddit, dump": ("ok", f"{REDDIT} --source dump --path FILE.zst", ""),
        "reddit, index": ("ok", f"{REDDIT} --source index --path FILE_OR_FOLDER", ""),
        "flickr": ("missing", "needs Flickr's key: FLICKR_API_KEY is not set", key),
        "own files": ("ok", "affectory collect local NAME --path FOLDER", ""),
        "sandbox": ("ok", f"{REDDIT} --sandbox", ""),
    }
    assert found["Credentials"] == {
        "Reddit's credentials": ("missing", none, nothing),
        "Flickr's key": ("missing", "FLICKR_API_KEY is not set", key),
        "imgur's client id": (
            "missing",
            "IMGUR_CLIENT_ID is not set: imgur's albums can't be opened, single images can",
            "",
        ),
    }
    assert found["Sites"] == {
        "the Arctic Shift archive": ("ok", "arctic-shift.photon-reddit.com", ""),
        "Reddit's API": ("ok", "oauth.reddit.com", ""),
        "Flickr's API": ("ok", "api.flickr.com", ""),
        "Reddit's images": ("ok", "i.redd.it", ""),
        "Flickr's images": ("ok", "live.staticflickr.com", ""),
        "imgur's images": ("ok", "i.imgur.com", ""),
    }
    assert [name for name, (state, _, _) in found["Disk"].items()] == ["data", "results", "features"]
    assert found["Versions"]["python"] == ("ok", sys.version.split()[0], "")
    assert found["Versions"]["torch"][0] == "ok"


def test_sites_that_give_no_answer_are_named_with_the_reason(home, capsys, monkeypatch):
    monkeypatch.setenv("praw_client_id", "some-id")
    monkeypatch.setenv("FLICKR_API_KEY", "some-key")
    found = findings(capsys, "--sandbox-url", "http://127.0.0.1:1")  # no one listens there
    again = "check the network, or try again later"
    silent = ("not reachable", "oauth.reddit.com (connect error)", again)
    assert found["Sites"]["Reddit's API"] == silent
    assert {name: state for name, (state, _, _) in found["Sources"].items()} == {
        "reddit, oauth": "not reachable",
        "reddit, archive": "not reachable",
        "reddit, dump": "ok",
        "reddit, index": "not reachable",
        "flickr": "not reachable",
        "own files": "ok",
        "sandbox": "ok",
    }
    assert found["Sources"]["reddit, oauth"][1] == "Reddit's API: oauth.reddit.com (connect error)"
    assert found["Sources"]["reddit, index"][1:] == (
        "ids need Reddit's API or an archive; the Arctic Shift archive: arctic-shift.photon-reddit.com "
        "(connect error)",
        "only tables that hold the posts can be read now",
    )


def test_a_network_that_answers_in_the_place_of_the_sites_is_not_one_that_reaches_them(
    home, capsys, monkeypatch
):
    def portal(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", portal)
    found = findings(capsys)
    then = "this network's DNS leads elsewhere: log in to it, or use another one"
    assert len(found["Sites"]) == 6
    assert found["Sites"]["imgur's images"] == ("not reachable", "i.imgur.com (private address)", then)
    assert {state for state, _, _ in found["Sites"].values()} == {"not reachable"}
    assert found["Sources"]["reddit, archive"][0] == "not reachable"


def test_offline_asks_no_site(home, capsys):
    found = findings(capsys, "--offline")
    assert "Sites" not in found and "note  the sites were not asked (--offline)" in found
    assert found["Sources"]["reddit, archive"][0] == "ok"


def test_credentials_are_found_where_collectors_find_them_and_never_printed(home, capsys, monkeypatch):
    (home / "praw.ini").write_text("[DEFAULT]\nclient_id=SECRET1\nclient_secret=SECRET2\n")
    monkeypatch.setenv("FLICKR_API_KEY", "SECRET3")
    monkeypatch.setenv("IMGUR_CLIENT_ID", "SECRET4")
    assert main(["doctor", "--offline"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"ok +Reddit's credentials +in praw\.ini\n", out)
    assert re.search(r"ok +Flickr's key +FLICKR_API_KEY\n", out)
    monkeypatch.setenv("praw_client_id", "SECRET5")
    assert main(["doctor", "--offline"]) == 0
    more = capsys.readouterr().out
    assert re.search(r"ok +Reddit's credentials +in the environment\n", more)
    monkeypatch.delenv("praw_client_id")
    (home / "praw.ini").write_text("[DEFAULT]\nclient_secret SECRET2\n")
    assert main(["doctor", "--offline"]) == 0
    damaged = capsys.readouterr()
    assert re.search(r"missing +Reddit's credentials +praw\.ini can't be read; next: ", damaged.out)
    assert "SECRET" not in out + more + damaged.out + damaged.err


def test_where_nothing_can_be_written_nothing_can_be_collected(home, capsys):
    (home / "data").write_text("a file")
    found = findings(capsys, "--offline", code=1)
    fault = ("missing", "data can't be written", f"{home}/data must be a folder of yours")
    assert found["Disk"]["data"] == fault
    assert set(found["Sources"].values()) == {fault}
    assert found["Disk"]["results"][0] == "ok"


def test_on_a_terminal_the_findings_are_in_colour(home, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["doctor", "--offline"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[32m  ok" in out and "\x1b[33m  missing" in out


@pytest.mark.slow
def test_without_a_gpu_torch_is_not_imported(home):
    program = (
        "import sys; from affectory.cli import main; code = main(['doctor', '--offline']); "
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    if not any(line.split()[:3] == ["missing", "GPU", "none:"] for line in lines):
        pytest.skip("this machine has a GPU")
    assert lines[-1] == "0 False"
