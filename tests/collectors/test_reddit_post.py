"""`collectors.reddit.post`: from a submission's JSON to the record."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.reddit.answers import MalformedAnswer
from collectors.reddit.post import parse_listing, parse_post
from collectors.store.record import Media, Post, Rejection, author_hash

KEY = b"a store's key"
SUBMISSION = {
    "id": "ABC12",
    "name": "t3_abc12",
    "subreddit": "Happy",
    "title": " A good day \u2600 ",
    "selftext": "",
    "author": "Some_One",
    "created_utc": 1447575277.0,
    "score": 7724,
    "ups": 1,
    "num_comments": 329,
    "over_18": False,
    "permalink": "/r/Happy/comments/abc12/a_good_day/",
    "url": "https://i.redd.it/abc.jpg",
}


def parsed(escaped=False, **changes):
    return parse_post({**SUBMISSION, **changes}, key=KEY, collected_at=1_700_000_000, escaped=escaped)


def test_a_submission_becomes_a_post():
    expected = Post(
        post_id="reddit:abc12",
        source="reddit",
        community="happy",
        title="A good day \u2600",
        body="",
        author=author_hash("reddit:Some_One", KEY),
        created_at=1447575277,
        score=7724,
        num_comments=329,
        permalink="https://www.reddit.com/r/Happy/comments/abc12/a_good_day/",
        over_18=False,
        media=(Media("https://i.redd.it/abc.jpg", 0, "image"),),
        collected_at=1_700_000_000,
    )
    assert parsed() == expected
    child = {"kind": "t3", "data": SUBMISSION}
    assert parse_post(child, key=KEY, collected_at=1_700_000_000) == expected
    assert "Some_One" not in repr(expected)


@pytest.mark.parametrize(
    ("child", "rejection"),
    [
        (None, Rejection("not_an_object", "NoneType")),
        ([SUBMISSION], Rejection("not_an_object", "list")),
        ({"kind": "t3", "data": None}, Rejection("not_an_object", "NoneType")),
        ({"kind": "t1", "data": {"id": "abc"}}, Rejection("not_a_post", "t1")),
        ({"kind": "more", "data": {}}, Rejection("not_a_post", "more")),
        ({"kind": None, "data": {}}, Rejection("not_a_post", "NoneType")),
        ({}, Rejection("no_id")),
        ({**SUBMISSION, "id": None}, Rejection("no_id")),
        ({**SUBMISSION, "id": ""}, Rejection("no_id")),
        ({**SUBMISSION, "id": 7}, Rejection("bad_id", "int")),
        ({**SUBMISSION, "id": "t3_abc"}, Rejection("bad_id", "t3_abc")),
        ({**SUBMISSION, "id": "abc\n"}, Rejection("bad_id", "abc\n")),
        ({**SUBMISSION, "id": "\u212aelvin"}, Rejection("bad_id", "\u212aelvin")),
        ({**SUBMISSION, "id": "12345678901234"}, Rejection("bad_id", "12345678901234")),
        ({**SUBMISSION, "title": None}, Rejection("no_title", "abc12")),
        ({**SUBMISSION, "title": " \0 "}, Rejection("no_title", "abc12")),
        ({**SUBMISSION, "subreddit": None}, Rejection("no_community", "abc12")),
        ({**SUBMISSION, "subreddit": " "}, Rejection("no_community", "abc12")),
    ],
)
def test_what_is_no_post_is_rejected_with_its_reason(child, rejection):
    assert parse_post(child, key=KEY, collected_at=0) == rejection


def test_texts_are_unescaped_only_where_the_source_escapes_them():
    texts = {"title": "you &amp; me &lt;3 &amp;amp;", "selftext": "a &gt; b"}
    assert parsed(**texts).title == "you &amp; me &lt;3 &amp;amp;"
    assert parsed(escaped=True, **texts).title == "you & me <3 &amp;"
    assert parsed(escaped=True, **texts).body == "a > b"


def test_texts_hold_no_nul_and_no_half_pair():
    post = parsed(title="a\ud83d\0b", selftext="\udc00")
    assert (post.title, post.body) == ("a\ufffdb", "\ufffd")


@pytest.mark.parametrize("author", ["[deleted]", "[removed]", "", None, 7])
def test_an_author_who_is_gone_is_none_and_the_post_stands(author):
    post = parsed(author=author)
    assert post.author is None
    assert post.removed is None
    assert post.media[0].status == "pending"


@pytest.mark.parametrize(
    ("created_utc", "created_at"),
    [
        (1447575277, 1447575277),
        (1447575277.9, 1447575277),
        ("1447575277", 1447575277),
        ("1432086938.0", 1432086938),
        ("1432086938.75", 1432086938),
        (0, 0),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (10**400, None),
        ("9" * 5000, None),
        ("yesterday", None),
        (True, None),
        (None, None),
    ],
)
def test_the_time_is_whole_seconds_or_none(created_utc, created_at):
    assert parsed(created_utc=created_utc).created_at == created_at


@pytest.mark.parametrize(
    ("score", "expected"),
    [(5, 5), (-3, -3), (5.0, 5), ("259", 259), (None, 1), (2**63, 1), ("many", 1), (True, 1)],
)
def test_the_score_falls_back_to_the_ups(score, expected):
    assert parsed(score=score).score == expected


@pytest.mark.parametrize(
    ("ups", "score"), [("259.0", 259), ("1,234", 1234), ("-1,234,567.5", -1234567), ("1,23", None)]
)
def test_a_number_is_read_as_a_spreadsheet_writes_it(ups, score):
    assert parsed(score=None, ups=ups).score == score


def test_counts_beyond_64_bits_are_none():
    assert parsed(num_comments=2**63 - 1).num_comments == 2**63 - 1
    assert parsed(num_comments=2**63).num_comments is None
    assert parsed(num_comments=[1]).num_comments is None


@pytest.mark.parametrize(
    ("over_18", "expected"), [(True, True), (False, False), (None, None), ("yes", None), (1, None)]
)
def test_over_18_is_a_boolean_or_unknown(over_18, expected):
    assert parsed(over_18=over_18).over_18 is expected


@pytest.mark.parametrize(
    ("permalink", "expected"),
    [
        ("/r/happy/comments/abc12/x/", "https://www.reddit.com/r/happy/comments/abc12/x/"),
        (
            "http://reddit.com/r/happy/comments/abc12/x/?ref=s",
            "https://www.reddit.com/r/happy/comments/abc12/x/",
        ),
        ("https://old.reddit.com/user/me/comments/abc12/", "https://www.reddit.com/user/me/comments/abc12/"),
        ("https://notreddit.com/r/happy/", "https://www.reddit.com/comments/abc12/"),
        ("//evil.com/r/happy/", "https://www.reddit.com/comments/abc12/"),
        ("http://[half", "https://www.reddit.com/comments/abc12/"),
        (None, "https://www.reddit.com/comments/abc12/"),
    ],
)
def test_the_permalink_is_absolute(permalink, expected):
    assert parsed(permalink=permalink).permalink == expected


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"removed_by_category": "moderator"}, "moderator"),
        ({"removed_by_category": "deleted", "selftext": "[removed]"}, "deleted"),
        ({"removed_by_category": "automod_filtered"}, "automod_filtered"),
        ({"banned_by": True}, "moderator"),
        ({"banned_by": "a_moderators_name"}, "moderator"),
        ({"removed_by": "reddit"}, "reddit"),
        ({"removed_by": "a_moderators_name"}, "removed"),
        ({"selftext": "[removed]"}, "removed"),
        ({"title": "[deleted by user]"}, "deleted"),
        ({"author": "[deleted]", "selftext": "[deleted]"}, "deleted"),
    ],
)
def test_a_removed_post_says_why_and_its_images_are_never_fetched(changes, word):
    post = parsed(**changes)
    assert post.removed == word
    assert post.body == ""
    assert post.media == (Media("https://i.redd.it/abc.jpg", 0, "image", "failed", "post_removed"),)


@pytest.mark.parametrize(
    ("meta", "word"),
    [
        ({"was_deleted_later": True, "removal_type": "deleted"}, "deleted"),
        ({"was_deleted_later": True, "removal_type": "moderator"}, "moderator"),
        ({"was_deleted_later": True}, "deleted"),
        ({"was_deleted_later": True, "removal_type": ["odd"]}, "deleted"),
        ({"was_deleted_later": False}, None),
        ({"retrieved_2nd_on": 1700129600}, None),
        ("odd", None),
    ],
)
def test_the_archives_note_on_a_later_removal_is_the_posts_reason(meta, word):
    post = parsed(_meta=meta)
    assert post.removed == word
    assert post.media[0].status == ("pending" if word is None else "failed")


def test_a_post_that_came_back_is_public_whatever_its_old_category_says():
    back = {"was_initially_deleted": True}
    assert parsed(removed_by_category="automod_filtered", _meta=back).removed is None
    assert parsed(removed_by_category="automod_filtered", _meta=back).media[0].status == "pending"
    assert parsed(_meta={**back, "was_deleted_later": True, "removal_type": "reddit"}).removed == "reddit"
    # Where the archive holds no content of it, there is none to publish.
    assert parsed(title="[deleted by user]", _meta=back).removed == "deleted"


def test_a_crosspost_of_a_removed_post_has_no_images_to_fetch():
    parent = {"url": "https://i.redd.it/parent.jpg", "removed_by_category": "moderator"}
    post = parsed(crosspost_parent_list=[parent])
    assert post.removed is None
    assert post.media == (Media("https://i.redd.it/parent.jpg", 0, "image", "failed", "post_removed"),)


def test_a_removed_text_post_is_still_a_text():
    (media,) = parsed(is_self=True, selftext="[removed]").media
    assert (media.kind, media.status, media.reason) == ("text", "not_image", "text_post")


def test_a_listing_gives_its_children_and_where_to_go_on():
    listing = {"kind": "Listing", "data": {"after": "t3_abc", "children": [1, 2]}}
    assert parse_listing(listing) == ([1, 2], "t3_abc")
    assert parse_listing({"data": {"after": None, "children": []}}) == ([], None)
    assert parse_listing({"data": {"after": "", "children": []}}) == ([], None)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (None, "NoneType"),
        ([], "list"),
        ({}, "keys []"),
        ({"data": None, "kind": "Listing"}, "keys ['data', 'kind']"),
        ({"data": {"children": {}}}, "keys ['data']"),
    ],
)
def test_what_is_no_listing_is_a_malformed_answer(body, found):
    with pytest.raises(MalformedAnswer) as caught:
        parse_listing(body, what="r/happy")
    assert str(caught.value) == (
        f"r/happy: the answer can't be read (expected a listing with children, found {found}); "
        "repeat it; if it stays, please report it"
    )


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(
        ["t3", "abc", "[deleted]", "[removed]", "1e999", "https://i.redd.it/a.jpg", "http://["]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*SUBMISSION, "kind", "data", "crosspost_parent_list"]), inner, max_size=6
        )
    ),
    max_leaves=10,
)
CHANGES = st.dictionaries(
    st.sampled_from([*SUBMISSION, "removed_by_category", "banned_by", "removed_by", "crosspost_parent_list"]),
    ANY_JSON,
)


def check(found):
    """Check that a parsed child can be stored: valid text, whole numbers of 64 bits."""
    if isinstance(found, Rejection):
        assert found.reason in {"not_an_object", "not_a_post", "no_id", "bad_id", "no_title", "no_community"}
        found.detail.encode()
        return
    for text in (
        found.post_id,
        found.title,
        found.body,
        found.community,
        found.permalink,
        found.removed or "",
    ):
        text.encode()
        assert "\0" not in text
    for number in (found.score, found.num_comments, found.created_at):
        assert number is None or -(2**63) <= number < 2**63
    if found.removed:
        assert all(media.status != "pending" for media in found.media)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(ANY_JSON)
def test_any_json_is_a_post_or_a_rejection(child):
    check(parse_post(child, key=KEY, collected_at=0))


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(CHANGES, st.booleans())
def test_a_post_with_any_value_anywhere_is_a_post_or_a_rejection(changes, escaped):
    check(parsed(escaped=escaped, **changes))


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(ANY_JSON)
def test_any_json_is_a_listing_or_a_malformed_answer(body):
    try:
        children, after = parse_listing(body)
    except MalformedAnswer:
        return
    assert isinstance(children, list)
    assert after is None or after
