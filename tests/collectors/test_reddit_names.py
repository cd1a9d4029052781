"""`collectors.reddit.names`: what users and browsers call a subreddit."""

import pytest

from affectory.core.errors import InputError
from collectors.reddit.names import subreddit_names


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("happy", ["happy"]),
        ("/r/Happy", ["happy"]),
        ("r/happy/", ["happy"]),
        ("https://www.reddit.com/r/happy/", ["happy"]),
        ("https://old.reddit.com/r/happy", ["happy"]),
        ("https://www.reddit.com/r/happy/top/?t=all", ["happy"]),
        ("reddit.com/r/happy", ["happy"]),
        ("reddit.com", ["reddit.com"]),
        ("https://www.reddit.com/r/reddit.com/", ["reddit.com"]),
        ("u_Some-Name-7189", ["u_some-name-7189"]),
        ("u/Some-Name", ["u_some-name"]),
        ("https://www.reddit.com/user/Some-Name", ["u_some-name"]),
        ("https://www.reddit.com/user/Some-Name/submitted/?sort=top", ["u_some-name"]),
        ("happy+creepy", ["happy", "creepy"]),
        ("https://www.reddit.com/r/happy+creepy/top/", ["happy", "creepy"]),
        ("all", ["all"]),
        ("r/popular", ["popular"]),
    ],
)
def test_a_subreddit_is_named_as_users_and_browsers_write_it(given, names):
    assert subreddit_names([given]) == names


def test_a_subreddit_that_is_named_twice_is_read_once():
    assert subreddit_names(["happy", "r/Happy+rage", "rage"]) == ["happy", "rage"]


@pytest.mark.parametrize(
    "given",
    [
        "not a name",
        "a",
        "r/",
        "happy+",
        "happy.com",
        "happy/top",
        "https://www.reddit.com/",
        "https://example.org/r/happy/",
        "https://evilreddit.com/r/happy/",
        "https://www.reddit.com/user/kjoneslol/m/sfwpornnetwork/",
    ],
)
def test_what_names_no_subreddit_is_refused(given):
    with pytest.raises(InputError, match="is not a subreddit's name"):
        subreddit_names([given])
