"""A post with one image, for the tests of the store."""

from collectors.store.record import Media, Post

IMAGE = Media(url="https://i.redd.it/a.jpg", position=0, kind="image")
POST = Post(
    post_id="reddit:3svmej",
    source="reddit",
    community="creepy",
    title="tl;dr",
    body="",
    author="0" * 32,
    created_at=1447575277,
    score=7724,
    num_comments=329,
    votes={"fear": 3, "disgust": 2},
    votes_total=5,
    over_18=False,
    media=(IMAGE,),
    collected_at=1_700_000_000,
)
