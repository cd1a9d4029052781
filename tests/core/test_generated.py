"""What is said of generated posts, and addresses that lead nowhere."""

import pytest

from affectory.core.generated import note, nowhere, source_address


def test_the_note_counts_a_part_and_says_nothing_of_none():
    assert note(3000, 3000) == "generated posts: not results"
    assert note(612, 3000) == "612 of 3,000 posts are generated: not results"
    assert note(1200, 3000, "images") == "1,200 of 3,000 images are generated: not results"
    assert note(0, 3000) == note(0, 0) == ""


@pytest.mark.parametrize(
    ("real", "replaced"),
    [
        (
            "https://www.reddit.com/r/happy/comments/18lpjb/so_happy/",
            "https://sandbox.invalid/www.reddit.com/r/happy/comments/18lpjb/so_happy/",
        ),
        (
            "https://www.flickr.com/photo.gne?id=2102000034",
            "https://sandbox.invalid/www.flickr.com/photo.gne?id=2102000034",
        ),
        ("http://i.imgur.com/AbCdEfG.jpg", "https://sandbox.invalid/i.imgur.com/AbCdEfG.jpg"),
        ("reddit:18lpjb", "https://sandbox.invalid/reddit:18lpjb"),
    ],
)
def test_an_address_leads_nowhere_and_does_so_after_a_second_time(real, replaced):
    assert nowhere(real) == nowhere(nowhere(real)) == replaced


def test_the_address_in_the_sandbox_is_found_again():
    address = "https://live.staticflickr.com/65535/2102000034_0a1b2c3d4e.jpg"
    assert source_address(nowhere(address)) == source_address(address) == address
