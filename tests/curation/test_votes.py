"""Labels that annotators gave: the majority, how far it agrees, and what of it a release holds."""

import pyarrow.parquet as pq
import pytest

from collectors.store import Store
from curation.recipe.recipe import Recipe
from curation.release.assemble import build
from curation.rows.votes import labelled
from tests.curation.stores import make_store, post, write_recipe

RECIPE = Recipe(name="test", title="", summary="", labels={"happy": "joy", "creepy": "fear"})


def told(votes, total=None, label=None, community="happy"):
    columns = {
        "post_id": ["reddit:a"],
        "votes": [votes],
        "votes_total": [total],
        "label": [label],
        "community": [community],
    }
    found = labelled(columns, RECIPE)
    return tuple(found[name][0] for name in ("label", "agreeing", "votes_total", "agreement"))


@pytest.mark.parametrize(
    ("votes", "total", "expected"),
    [
        ('{"happy": 4}', 5, ("joy", 4, 5, 0.8)),
        ('{"happy": 3, "creepy": 1}', 5, ("joy", 3, 5, 0.6)),
        ('{"creepy": 5}', 5, ("fear", 5, 5, 1.0)),
        ('{"happy": 2}', 5, (None, 2, 5, 0.4)),  # the leading emotion, and most are against it
        ('{"happy": 2}', 4, (None, 2, 4, 0.5)),  # half are no majority
        ('{"happy": 4, "creepy": 4}', 5, (None, 4, 5, 0.8)),  # five were asked of each
        ('{"happy": 0}', 5, (None, 0, 5, 0.0)),
        ('{"happy": 3, "creepy": 2}', None, ("joy", 3, 5, 0.6)),  # each annotator chose one
        ('{"happy": 2, "creepy": 1, "rage": 1}', None, (None, 2, 4, 0.5)),
        ('{"rage": 5}', 5, (None, 5, 5, 1.0)),  # the recipe doesn't know it
    ],
)
def test_a_label_is_what_more_than_half_of_those_asked_agreed_to(votes, total, expected):
    assert told(votes, total) == expected


def test_a_post_that_nobody_voted_on_has_its_own_label_or_its_communitys():
    assert told("{}") == ("joy", None, None, None)
    assert told("{}", label="creepy") == ("fear", None, None, None)


def voted(number, agree, asked=5, community="happy"):
    return post(number, community, votes={community: agree}, votes_total=asked)


def rows_of(folder):
    paths = [p for name in ("train", "validation", "test") for p in sorted(folder.glob(f"{name}-*.parquet"))]
    return {
        row["post_id"]: row | {"split": p.name.split("-")[0]}
        for p in paths
        for row in pq.read_table(p).to_pylist()
    }


@pytest.mark.slow
def test_a_release_holds_votes_and_agreement_and_the_rest_is_dropped_by_its_votes(tmp_path):
    posts = [voted(i, 3 + i % 3, community="happy" if i % 2 else "creepy") for i in range(60)]
    posts += [voted(60, 2), voted(61, 3, 3), voted(62, 1, 3)]
    text = '[[filters]]\nuse = "agreement"\nmin_votes = 5\n'
    done = build(
        write_recipe(tmp_path / "r", text), store=make_store(tmp_path / "s", posts), out=tmp_path / "out"
    )
    [path] = done.folder.glob("dropped-*.parquet")
    dropped = [(r["post_id"], r["reason"], r["detail"]) for r in pq.read_table(path).to_pylist()]
    assert dropped == [
        ("reddit:00060", "no_majority", "2 of 5 for happy"),
        ("reddit:00061", "too_few_votes", "3 of 3 for happy"),
        ("reddit:00062", "too_few_votes", "1 of 3 for happy"),
    ]
    row = rows_of(done.folder)["reddit:00003"]
    assert (row["votes"], row["agreement"], row["label"]) == ('{"happy": 3}', pytest.approx(0.6), 0)


@pytest.mark.slow
def test_the_unanimous_are_those_whom_nobody_disagrees_with(tmp_path):
    # 5 of 7 are more votes than 5 of 5, and no unanimity.
    posts = [voted(i, 5, 5 if i < 10 else 7, "happy" if i % 2 else "creepy") for i in range(60)]
    text = '[duplicates]\nimages = []\n[split]\nrule = "unanimous"\n'
    done = build(
        write_recipe(tmp_path / "r", text), store=make_store(tmp_path / "s", posts), out=tmp_path / "out"
    )
    held = {key for key, row in rows_of(done.folder).items() if row["split"] != "train"}
    assert held == {f"reddit:{i:05}" for i in range(10)}
    assert "only 10 of 60 posts are unanimous" in done.manifest.notes[0]


IMAGES_ALONE = '[duplicates]\nimages = []\n[[filters]]\nuse = "words"\nmin = 5\notherwise = "image-only"\n'


def some_short(tmp_path, split=""):
    """Build sixty voted posts, every third with a text of two words, one of those without an image."""
    posts = [
        post(
            i,
            "happy" if i % 2 else "creepy",
            title="two words" if i % 3 == 0 else None,
            votes={"happy" if i % 2 else "creepy": 5},
            votes_total=5,
            images=0 if i == 30 else 1,
        )
        for i in range(60)
    ]
    recipe = write_recipe(tmp_path / "r", IMAGES_ALONE + split)
    return build(recipe, store=make_store(tmp_path / "s", posts), out=tmp_path / "out")


def test_a_short_text_goes_and_its_image_stays(tmp_path):
    done = some_short(tmp_path)
    assert [(s.stage, s.reason, s.rows) for s in done.manifest.ledger.steps] == [
        ("words", "too_few_words", 1)
    ]
    assert done.manifest.notes[0] == "19 posts stay as images alone, their texts left out (too few words: 19)"
    rows = rows_of(done.folder)
    alone = [row for row in rows.values() if not row["has_text"]]
    assert len(alone) == 19
    assert {(r["text"], r["title"], r["body"], r["n_words"], r["language"]) for r in alone} == {
        ("", "", "", 0, "und")
    }
    assert all(row["image"]["bytes"] for row in alone)
    assert {row["has_text"] for key, row in rows.items() if int(key[-2:]) % 3} == {True}
    page = (done.folder / "report.html").read_text()
    assert "<h3>Image and text</h3>" in page and "<h3>Image only</h3>" in page
    assert "<h3>Text only</h3>" not in page
    assert "stay as images alone" in (done.folder.parent / "README.md").read_text()


@pytest.mark.slow
def test_images_alone_train_and_a_fifth_of_the_pairs_is_held_out(tmp_path):
    done = some_short(tmp_path, '[split]\nrule = "unanimous"\n')
    rows = rows_of(done.folder)
    assert {row["split"] for row in rows.values() if not row["has_text"]} == {"train"}
    held = [row for row in rows.values() if row["split"] != "train"]
    assert len(held) == 40 // 5


def test_images_alone_of_a_recipe_without_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"images\.which is 'none'"):
        Recipe(
            name="test",
            title="",
            summary="",
            labels=RECIPE.labels,
            images={"which": "none"},
            filters=[{"use": "words", "min": 5, "otherwise": "image-only"}],
        )


def test_a_photo_of_flickrs_says_where_it_is_and_under_what_licence(tmp_path):
    page = "https://www.flickr.com/photo.gne?id="
    known = {"source": "flickr", "community": "happy", "label": "happy"}
    posts = [
        post(
            i,
            "happy" if i % 2 else "creepy",
            post_id=f"flickr:{i:05}",
            source="flickr",
            permalink=f"{page}{i}",
        )
        for i in range(20)
    ]
    posts += [
        post(
            20,
            **known | {"post_id": "flickr:00020", "permalink": f"{page}20", "licence": "CC BY 2.0"},
            licence_url="https://creativecommons.org/licenses/by/2.0/",
        )
    ]
    done = build(
        write_recipe(tmp_path / "r"),
        store=make_store(tmp_path / "s", posts, pictures=False),
        out=tmp_path / "out",
    )
    rows = rows_of(done.folder)
    assert rows["flickr:00020"]["attribution"] == (
        f"Photo 00020 on Flickr, its author named at {page}20; CC BY 2.0 "
        "(https://creativecommons.org/licenses/by/2.0/)"
    )
    assert rows["flickr:00003"]["attribution"] == (
        f"Photo 00003 on Flickr, its author named at {page}3; licence not known"
    )
    assert "CC BY 2.0" in (done.folder / "report.html").read_text()


def test_a_row_says_where_its_image_came_from(tmp_path):
    posts = [post(i, "happy" if i % 2 else "creepy") for i in range(20)]
    store = make_store(tmp_path / "s", posts)
    with Store.open(store) as opened:
        opened.add([post(20, images=0)])
    rows = rows_of(build(write_recipe(tmp_path / "r"), store=store, out=tmp_path / "out").folder)
    assert rows["reddit:00003"]["image_url"] == "https://i.redd.it/3-0.jpg"
    assert rows["reddit:00020"]["image_url"] is None
