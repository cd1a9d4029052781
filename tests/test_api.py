"""The Python API: the commands as functions."""

import asyncio
import dataclasses
import inspect
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import get_overloads

import pytest

import affectory
from affectory import api
from affectory.core.errors import AffectoryError, BaselineError, InputError, SourceError
from baselines.options import Options as TrainOptions
from collectors.crawl.crawl import run_in_thread
from collectors.crawl.options import CrawlOptions
from collectors.crawl.source import Failure
from collectors.crawl.summary import Summary
from collectors.flickr.__main__ import Options as FlickrOptions
from collectors.local.__main__ import Options as LocalOptions
from collectors.reddit.__main__ import Options as RedditOptions
from curation.build import Options as BuildOptions

SHARED = [field.name for field in dataclasses.fields(CrawlOptions)]


def summary(**more):
    """Return the summary of a crawl that found nothing."""
    given = {"asked": 0, "posts": Counter(), "by_community": {}, "media": Counter(), "fetched": Counter()}
    given |= {"failures": (), "trouble": None, "folder": Path("data/<store>"), "seconds": 1}
    given |= {"interrupted": False}
    return Summary(**(given | more))


def test_importing_the_package_imports_none_of_its_parts():
    program = (
        "import sys, affectory; print([m for m in sys.modules if m.startswith(('affectory.', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert {"Predictor", "build", "collect", "load", "train", "__version__"} <= set(dir(affectory))
    with pytest.raises(AttributeError, match="no attribute 'collectt'"):
        affectory.collectt  # noqa: B018


@pytest.mark.parametrize(("call", "options"), [(api.build, BuildOptions), (api.train, TrainOptions)])
def test_a_function_has_the_options_of_its_command_with_their_defaults(call, options):
    theirs = {field.name: field.default for field in dataclasses.fields(options)}
    ours = {name: one.default for name, one in inspect.signature(call).parameters.items()}
    assert list(ours) == list(theirs)
    for name, default in ours.items():
        if name != "name":
            assert (Path(default) if isinstance(theirs[name], Path) else default) == theirs[name], name


@pytest.mark.parametrize(
    ("place", "options"),
    [(0, RedditOptions), (1, FlickrOptions), (2, LocalOptions)],
    ids=["reddit", "flickr", "local"],
)
def test_collect_has_the_options_of_the_sites_command(place, options):
    own = [field.name for field in dataclasses.fields(options)]
    theirs = [name for one in own for name in (SHARED if one == "crawl" else [one])]
    assert list(inspect.signature(get_overloads(api.collect)[place]).parameters) == ["site", *theirs]


def test_options_become_the_command_that_does_the_same():
    given = {"subs": ["happy", "creepy"], "limit": 5, "media": False, "store": "my store", "sandbox": True}
    chosen = api._options(RedditOptions, given)
    assert (chosen.subs, chosen.limit, chosen.crawl.store) == (("happy", "creepy"), 5, Path("my store"))
    assert (
        api._command("collect reddit", chosen)
        == "affectory collect reddit --subs happy creepy --limit 5 --store 'my store' --no-media --sandbox"
    )
    at_address = api._options(BuildOptions, {"name": "vso", "out": "s3://bucket/datasets"})
    assert api._command("build", at_address) == "affectory build vso --out s3://bucket/datasets"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: affectory.collect("tumblr"), "'tumblr' is not a site: there are reddit, flickr, local"),
        (lambda: affectory.collect("reddit", subs="happy"), "subs = 'happy': must be a list: put it in [ ]"),
        (
            lambda: affectory.collect("local", nam="a"),
            "there is no option 'nam': the options are name, path, store, datasets, workers",
        ),
        (
            lambda: affectory.collect("reddit", subs=["happy"], limit=0, sandbox=True),
            "--limit 0 is below 1",
        ),
        (lambda: affectory.build("vso", workers=0), "--workers 0 is below 1"),
        (lambda: affectory.train("vso", seeds=0), "--seeds 0 is below 1"),
    ],
)
def test_what_a_command_refuses_is_an_error_of_one_line(call, said):
    with pytest.raises(InputError) as refused:
        call()
    assert str(refused.value) == said


def test_a_release_that_is_not_built_is_an_error(tmp_path):
    with pytest.raises(BaselineError, match="'vso' is not built in"):
        affectory.load("vso", datasets=tmp_path)


def test_a_crawl_that_collected_nothing_raises_its_problem(monkeypatch):
    failed = summary(failures=[Failure("happy", SourceError("r/happy can't be read"))])
    monkeypatch.setattr("collectors.reddit.__main__.run", lambda *_: failed)
    with pytest.raises(SourceError, match="r/happy can't be read"):
        affectory.collect("reddit", subs=["happy"])


def test_a_crawl_can_be_run_while_an_event_loop_is_running():
    async def crawling():
        await asyncio.sleep(0)
        return summary()

    async def cell():
        return run_in_thread(crawling)

    assert asyncio.run(cell()) == summary()


def test_an_error_of_a_crawl_is_raised_to_the_caller():
    async def crawling():
        raise SourceError("the archive can't be read")

    with pytest.raises(SourceError, match="the archive can't be read"):
        run_in_thread(crawling)


@pytest.fixture
def ctrl_c():
    """Let SIGINT raise `KeyboardInterrupt`; programs that were started in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_crawl_in_order_and_goes_on(capsys):
    waiting = threading.Event()

    async def crawling():
        waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return summary(interrupted=True)

    def interrupt():
        waiting.wait()
        signal.raise_signal(signal.SIGINT)  # in this thread; Python handles it in the main one

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_in_thread(crawling)
    thread.join()
    assert "store   data/<store>  (1 s, interrupted)" in capsys.readouterr().err


def test_a_summary_is_shown_escaped():
    shown = summary(notes=["<script>"])._repr_html_()
    assert "<b>data/&lt;store&gt;</b>" in shown
    assert "<div>&lt;script&gt;</div>" in shown


def test_a_result_is_shown_as_the_command_prints_it():
    assert repr(summary()) == str(summary())
    assert "Summary(" not in repr(summary())


def test_a_missing_checkpoint_is_named(tmp_path):
    from baselines.results.trained import Trained

    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "text-seed0.pt").touch()
    done = Trained(SimpleNamespace(rows=()), tmp_path)
    assert done.checkpoint("text") == tmp_path / "checkpoints" / "text-seed0.pt"
    with pytest.raises(AffectoryError, match=r"no checkpoint 'joint-seed1' in .*: text-seed0"):
        done.checkpoint("joint", 1)


@pytest.mark.slow
def test_a_script_needs_no_guard_for_the_workers(tmp_path):
    (tmp_path / "script.py").write_text(
        "import affectory\n"
        "print('once')\n"
        "given = {'source': 'oauth', 'sandbox': True, 'store': 's'}\n"
        "done = affectory.collect('reddit', subs=['happy'], limit=5, **given)\n"
        "print(done.posts['new'], done.fetched['stored'] > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "once\n5 True\n"
