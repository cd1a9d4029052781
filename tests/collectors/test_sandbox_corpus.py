"""The generated corpus: always the same, in the paper's proportions, shaped like Reddit's history."""

import hashlib
import io

import pytest
from PIL import Image

from collectors.sandbox.generated import pictures
from collectors.sandbox.generated.corpus import Corpus


def test_the_same_seed_gives_the_same_corpus():
    assert Corpus(seed=3, posts=200).digest() == Corpus(seed=3, posts=200).digest()
    assert Corpus(seed=3, posts=200).digest() != Corpus(seed=4, posts=200).digest()


def test_the_corpus_does_not_depend_on_the_machine():
    """A change here changes every recorded figure that was measured on the sandbox."""
    post = Corpus(seed=0, posts=600).post(17)
    assert (post.id, post.sub, post.form) == ("e0pn2i", "rage", "reddit_image")
    assert post.title == "100 years, still lovely"


@pytest.mark.slow
def test_classes_stand_in_the_proportions_of_the_paper():
    posts = Corpus(seed=0, posts=3239).posts
    sizes = {name: sum(post.label == name for post in posts) for name in ("joy", "fear", "anger", "disgust")}
    assert sizes == {"joy": 1119, "fear": 697, "anger": 613, "disgust": 810}
    small = Corpus(seed=0, posts=10)
    assert len(small) == len(small.posts) == 10


@pytest.mark.slow
def test_every_id_names_one_thing():
    corpus = Corpus(seed=0, posts=2600)
    shown = [*corpus.posts, *(post.parent for post in corpus.posts if post.parent)]
    assert len({post.id for post in shown}) == len(shown) == len(corpus.by_id)
    own = [p.id for post in corpus.posts if post.parent is None for p in post.pictures]
    assert len(set(own)) == len(own)


@pytest.mark.slow
def test_forms_come_in_their_proportions():
    posts = Corpus(seed=0, posts=2600).posts
    share = {form: sum(post.form == form for post in posts) / len(posts) for form in {p.form for p in posts}}
    expected = {"reddit_image": 0.45, "imgur_direct": 0.15, "imgur_page": 0.12, "gallery": 0.10}
    expected |= {"imgur_album": 0.06, "video": 0.04, "crosspost": 0.03, "text": 0.03, "link": 0.02}
    assert set(share) == set(expected)
    assert all(abs(share[form] - rate) < 0.025 for form, rate in expected.items())


@pytest.mark.slow
def test_titles_are_often_short_and_rarely_equal():
    posts = Corpus(seed=0, posts=2600).posts
    short = sum(len(post.title.split()) <= 5 for post in posts) / len(posts)
    assert 0.21 < short < 0.27
    assert len({post.title for post in posts}) / len(posts) > 0.9
    assert any("ü" in post.title or "é" in post.title for post in posts)
    assert not [post.title for post in posts if "{" in post.title]


@pytest.mark.slow
def test_scores_have_the_scale_of_their_subreddit():
    posts = Corpus(seed=0, posts=2600).posts
    ranges = {"happy": (100, 5600), "creepy": (2200, 7700), "rage": (100, 6200), "gore": (160, 1000)}
    for sub, (low, high) in ranges.items():
        scores = sorted(post.ups for post in posts if post.sub == sub)
        assert low <= scores[0] and scores[-1] <= high
        assert sum(scores) / len(scores) > scores[len(scores) // 2]  # a heavy tail lifts the mean


def test_only_gore_and_what_it_crossposts_is_over_18():
    posts = Corpus(seed=0, posts=600).posts
    assert all(post.over_18 == (post.sub == "gore") for post in posts)


def test_ids_grow_with_time_as_reddits_counter_does():
    old, *_, new = sorted(Corpus(seed=0, posts=600).posts, key=lambda post: post.created_utc)
    assert int(old.id, 36) < int("18lpjb", 36) < int("1b00000", 36) < int(new.id, 36)
    assert old.created_utc >= 1_325_376_000 and new.created_utc < 1_735_689_600


@pytest.mark.slow
def test_galleries_begin_in_2020_and_have_items_that_failed_or_were_deleted():
    galleries = [post for post in Corpus(seed=0, posts=2600).posts if post.form == "gallery"]
    assert min(post.created_utc for post in galleries) > 1_590_000_000
    items = [picture for post in galleries for picture in post.pictures]
    assert any(picture.status == "failed" for picture in items)
    assert any(picture.is_deleted for picture in items)
    assert all(post.images and 2 <= len(post.pictures) <= 4 for post in galleries)


@pytest.mark.slow
def test_some_posts_copy_an_earlier_one_exactly_or_nearly():
    corpus = Corpus(seed=0, posts=2600)
    kinds = {post.repost for post in corpus.posts}
    assert kinds == {None, "image", "image_near", "title", "title_near"}
    exact = next(post for post in corpus.posts if post.repost == "image")
    near = next(post for post in corpus.posts if post.repost == "image_near")
    assert _bytes(exact.pictures[0]) == _bytes(corpus.by_id[exact.repost_of].images[0])
    assert exact.pictures[0].id != corpus.by_id[exact.repost_of].images[0].id
    assert _bytes(near.pictures[0]) != _bytes(corpus.by_id[near.repost_of].images[0])
    title = next(post for post in corpus.posts if post.repost == "title")
    assert title.title == corpus.by_id[title.repost_of].title


def test_pictures_are_the_same_for_the_same_key():
    first = pictures.render("a key", "fear")
    pictures.render("another key", "joy")
    assert hashlib.sha256(first).digest() == hashlib.sha256(pictures.render("a key", "fear")).digest()
    assert first != pictures.render("another key", "fear")


def test_pictures_come_in_the_format_and_size_asked_for():
    formats = (("jpeg", "JPEG"), ("png", "PNG"), ("gif", "GIF"), ("webp", "WEBP"))
    for asked, found in formats:
        with Image.open(io.BytesIO(pictures.render("k", "disgust", (240, 180), asked))) as image:
            assert (image.format, image.size) == (found, (240, 180))
            assert getattr(image, "n_frames", 1) == (3 if asked == "gif" else 1)


def test_a_jpeg_is_as_large_as_a_small_photograph():
    sizes = [len(pictures.render(f"k{k}", "anger")) for k in range(8)]
    assert all(12_000 < size < 40_000 for size in sizes)
    detailed = [len(pictures.render(f"k{k}", "anger", (640, 480), detail=3.1)) for k in range(8)]
    assert 70_000 < sum(detailed) / 8 < 100_000


def _bytes(picture):
    return pictures.render(
        picture.key, picture.cue, (picture.width, picture.height), picture.format, picture.quality
    )
