import numpy as np
import pyarrow as pa
import pytest

from curation.filters import FILTERS
from curation.filters.agreement import Agreement
from curation.filters.animated import Animated
from curation.filters.image import HasImage
from curation.filters.language import Language
from curation.filters.removed import Removed
from curation.filters.score import Score
from curation.filters.size import Size
from curation.filters.stage import DROPPED, ROWS
from curation.filters.text import HasText
from curation.filters.words import Words
from curation.manifest.ledger import ledger

ROW = {
    "post_id": "reddit:a",
    "image_index": 0,
    "community": "happy",
    "title": "a title",
    "text": "a title",
    "label": "joy",
    "score": 10,
    "votes": "{}",
    "media_status": "stored",
    "image_width": 100,
    "image_height": 100,
    "image_frames": 1,
    "language": "en",
    "language_score": 0.9,
    "n_words": 2,
}


def table(*rows):
    full = [ROW | {"post_id": f"reddit:{i}"} | row for i, row in enumerate(rows)]
    return pa.Table.from_pylist([{f.name: row.get(f.name) for f in ROWS} for row in full], schema=ROWS)


def run(options, *rows):
    kept, dropped = FILTERS[options.use].apply(table(*rows), options)
    assert (kept.schema, dropped.schema) == (ROWS, DROPPED)
    found = zip(*(dropped[c].to_pylist() for c in ("post_id", "stage", "reason", "detail")), strict=True)
    return kept["post_id"].to_pylist(), list(found)


def test_posts_that_their_source_removed_go_with_its_word():
    assert run(Removed(use="removed"), {}, {"removed": "moderator"}, {"removed": "conflicting_pairs"}) == (
        ["reddit:0"],
        [
            ("reddit:1", "removed", "removed_by_source", "moderator"),
            ("reddit:2", "removed", "conflicting_pairs", "conflicting_pairs"),
        ],
    )


def test_posts_without_an_image_go_with_what_became_of_it():
    rows = [
        {},
        {"media_status": "none"},
        {"media_status": "not_image", "media_reason": "video"},
        {"media_status": "gone", "media_reason": "not_found"},
        {"media_status": "failed", "media_reason": "server_error"},
        {"media_status": "pending"},
        {"media_status": "refused", "media_reason": "noai"},
    ]
    assert run(HasImage(use="image"), *rows) == (
        ["reddit:0"],
        [
            ("reddit:1", "image", "no_image", "none"),
            ("reddit:2", "image", "no_image", "video"),
            ("reddit:3", "image", "image_gone", "not_found"),
            ("reddit:4", "image", "image_broken", "server_error"),
            ("reddit:5", "image", "image_not_fetched", "pending"),
            ("reddit:6", "image", "image_refused", "noai"),
        ],
    )
    kept, _ = run(HasImage(use="image", linked_is_enough=True), *rows)
    assert kept == ["reddit:0", "reddit:3", "reddit:4", "reddit:5", "reddit:6"]


def test_small_images_go_and_rows_without_an_image_stay():
    rows = [{}, {"image_width": 31}, {"media_status": "gone", "image_width": None, "image_height": None}]
    assert run(Size(use="size", min_side=32), *rows) == (
        ["reddit:0", "reddit:2"],
        [("reddit:1", "size", "image_too_small", "31x100")],
    )


def test_animated_images_go():
    assert run(Animated(use="animated"), {}, {"image_frames": 8}, {"image_frames": None}) == (
        ["reddit:0", "reddit:2"],
        [("reddit:1", "animated", "animated_image", "8 frames")],
    )


def test_texts_without_a_word_go():
    assert run(HasText(use="text"), {}, {"n_words": 0, "text": "!!"}) == (
        ["reddit:0"],
        [("reddit:1", "text", "no_text", "!!")],
    )


def test_other_languages_go_with_their_code_and_score():
    rows = [
        {"n_words": 9},
        {"language": "es", "language_score": 0.8125},
        {"language": "und", "language_score": 0.0},
        {"language_score": 0.0625},
    ]
    assert run(Language(use="language"), *rows) == (
        ["reddit:0"],
        [
            ("reddit:1", "language", "other_language", "es 0.81"),
            ("reddit:2", "language", "no_language", "und 0.00"),
            ("reddit:3", "language", "other_language", "en 0.06"),
        ],
    )


@pytest.mark.parametrize(
    ("n_words", "reason"), [(4, "too_few_words"), (5, None), (150, None), (151, "too_many_words")]
)
def test_words_are_bounded_on_both_sides(n_words, reason):
    _, dropped = run(Words(use="words", min=5, max=150), {"n_words": n_words})
    assert dropped == ([("reddit:0", "words", reason, str(n_words))] if reason else [])


def test_low_and_missing_scores_go():
    assert run(Score(use="score", min=100), {"score": 100}, {"score": 99}, {"score": None}) == (
        ["reddit:0"],
        [("reddit:1", "score", "score_too_low", "99"), ("reddit:2", "score", "no_score", "None")],
    )


def test_annotators_must_agree():
    rows = [
        {"votes": '{"awe": 4, "joy": 1}', "agreeing": 4, "votes_total": 5},
        {"votes": '{"awe": 5}', "agreeing": 5, "votes_total": 5},
        {"votes": '{"awe": 2, "joy": 2}', "agreeing": 2, "votes_total": 4, "label": None},
        {"votes": '{"awe": 3}', "agreeing": 3, "votes_total": 3},
        {"votes": "{}"},
    ]
    kept, dropped = run(Agreement(use="agreement", min_votes=4), *rows)
    assert kept == ["reddit:0", "reddit:1"]
    assert [d[2:] for d in dropped] == [
        ("no_majority", "2 of 4 for awe, 2 for joy"),
        ("too_few_votes", "3 of 3 for awe"),
        ("too_few_votes", "nobody voted"),
    ]
    kept, dropped = run(Agreement(use="agreement", rule="unanimous", min_votes=3), *rows)
    assert kept == ["reddit:1", "reddit:3"]
    assert [d[2] for d in dropped] == ["not_unanimous", "not_unanimous", "too_few_votes"]


def test_a_text_of_the_wrong_length_is_left_out_where_the_image_may_stand_alone():
    options = Words(use="words", min=3, max=4, otherwise="image-only")
    rows = [{"n_words": 3}, {}, {"n_words": 9}, {"media_status": "gone"}]
    kept, dropped = FILTERS["words"].apply(table(*rows), options)
    assert kept.select(["post_id", "text", "n_words", "language", "text_lost"]).to_pylist() == [
        {"post_id": "reddit:0", "text": "a title", "n_words": 3, "language": "en", "text_lost": None},
        {"post_id": "reddit:1", "text": "", "n_words": 0, "language": "und", "text_lost": "too_few_words"},
        {"post_id": "reddit:2", "text": "", "n_words": 0, "language": "und", "text_lost": "too_many_words"},
    ]
    assert (kept.schema, dropped["post_id"].to_pylist()) == (ROWS, ["reddit:3"])
    assert dropped.select(["reason", "detail"]).to_pylist() == [{"reason": "too_few_words", "detail": "2"}]


def test_the_ledger_is_a_waterfall_that_adds_up():
    dropped = pa.concat_tables(
        [
            FILTERS["words"].apply(table({"n_words": 1}, {"n_words": 1}, {}), Words(use="words", min=2))[1],
            FILTERS["removed"].apply(table({"removed": "deleted"}), Removed(use="removed"))[1],
        ]
    )
    book = ledger("posts", 10, dropped, ["removed", "words"], 7)
    assert str(book).splitlines() == [
        "         collected posts                            10",
        "removed  removed_by_source            -1             9",
        "words    too_few_words                -2             7",
        "         kept                                        7",
    ]
    with pytest.raises(AssertionError):
        ledger("posts", 11, dropped, ["removed", "words"], 7)


def test_an_empty_table_passes_through_every_filter():
    empty = ROWS.empty_table()
    options = [
        Removed(use="removed"), HasImage(use="image"), HasText(use="text"), Size(use="size"),
        Animated(use="animated"), Language(use="language"), Words(use="words"), Score(use="score", min=1),
        Agreement(use="agreement"),
    ]  # fmt: skip
    assert {o.use for o in options} == set(FILTERS)
    for one in options:
        kept, dropped = FILTERS[one.use].apply(empty, one)
        assert (len(kept), len(dropped)) == (0, 0)
    assert np.asarray(empty["n_words"]).dtype == np.int32
