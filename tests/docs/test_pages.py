"""Every command of the README and the documentation is run, or at least understood; outputs are as shown."""

import pytest

from tests.docs.pages import PAGES, ROOT, Reader, blocks, check, same

BLOCKS = {str(page.relative_to(ROOT)): blocks(page) for page in PAGES}
QUICK = [name for name, found in BLOCKS.items() if any(one.runs(long=False) and one.does for one in found)]
LONG = [name for name, found in BLOCKS.items() if any("long" in one.said for one in found)]


def read(name, folder, long):
    reader = Reader(folder)
    for block in BLOCKS[name]:
        if block.runs(long):
            reader.read(block)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_command_of_a_page_is_understood(name):
    for block in BLOCKS[name]:
        for command, _ in block.commands():
            check(command, block.place)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_commands_of_a_page_do_what_it_shows(name, tmp_path):
    read(name, tmp_path, long=False)


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_the_commands_of_a_page_that_take_longer_do_what_it_shows(name, tmp_path):
    read(name, tmp_path, long=True)


def test_a_command_that_no_parser_takes_is_found():
    for wrong in (
        "affectory build x --no-such",
        "python -m curation.biuld x",
        "affectoy x",
        "affectory bild",
    ):
        with pytest.raises((AssertionError, ImportError)):
            check(wrong, "here")


def test_an_output_is_compared_but_for_times_and_what_is_left_out():
    same("posts … new\nstore x  (4 s)", "posts   asked 3 = 3 new\nstore x  (1 min 20 s)\n", "here")
    with pytest.raises(AssertionError):
        same("posts 3\nstore x", "posts 4\nstore x", "here")


def test_figures_may_be_others_where_a_page_says_so():
    shown = "Model       Accuracy %  paper\n──────────\nText-based  57.2 ± 2.7   78.4\nAlways   35.8   –"
    same(shown, shown, "here")
    same(shown, shown.replace("57.2 ± 2.7", "57.2 ± 14.8").replace("─", "──"), "here", loose=True)
    for wrong in (shown.replace("57.2", "58.2"), shown.replace("Text", "Image")):
        with pytest.raises(AssertionError):
            same(shown, wrong, "here", loose="Image" in wrong)


def test_every_comment_before_a_block_gives_a_reason():
    for found in BLOCKS.values():
        for block in found:
            for what, said in block.said.items():
                assert said if what != "with" else ": " in said, f"{block.place}: why {what}?"
