"""The sandbox's memes: the same on every machine, in their proportions, learnable from image and caption."""

import hashlib
import re

import numpy as np
import pytest
from PIL import Image, ImageChops

from affectory.cli import main as affectory
from collectors.sandbox.__main__ import main
from collectors.sandbox.generated import meme_pictures
from collectors.sandbox.generated.meme_words import plain
from collectors.sandbox.generated.memes import TONES, MemeCorpus

LABELS = ["celebration", "complaint", "nostalgia", "sarcasm"]


def test_the_corpus_does_not_depend_on_the_machine():
    """A change here changes every recorded figure that was measured on the memes."""
    assert MemeCorpus().digest() == "b94ddd64a8b806a7be09070c6c5d71a69e14ad0ad49d65fda60f99ca6ffb577a"
    assert MemeCorpus(seed=1).digest() != MemeCorpus().digest()
    meme = MemeCorpus().memes[5]
    assert (meme.name, meme.part, meme.tones) == ("m00006.jpg", "train", ("sarcasm",))
    assert (
        meme.caption
        == "me checking the mail and my cat assembling a shelf decision of the year, brilliant 12:41 PM"
    )


def test_the_pixels_do_not_depend_on_the_machine():
    """The bytes of the JPEGs depend on the JPEG library too, and are not compared."""
    pixels = hashlib.sha256()
    for meme in MemeCorpus().memes[:24]:
        pixels.update(meme_pictures.draw(meme.key, meme.looks).tobytes())
    assert pixels.hexdigest() == "3fb19bf9a703e05f15aa2e53cb2bbfbd4aef76831b6c8da7115c307ae0f38f75"


def test_an_image_does_not_depend_on_those_drawn_before_it():
    first = meme_pictures.render("a key", ("nostalgia",))
    meme_pictures.render("another key", ("celebration",))
    assert meme_pictures.render("a key", ("nostalgia",)) == first
    assert meme_pictures.render("another key", ("nostalgia",)) != first


@pytest.mark.parametrize("seed", [0, 1])
def test_tones_stand_in_their_proportions_whatever_the_corpus(seed):
    memes = MemeCorpus(seed).memes
    assert {tone: sum(tone in meme.tones for meme in memes) for tone in TONES} == {
        "celebration": 420,
        "complaint": 360,
        "nostalgia": 240,
        "sarcasm": 144,
    }
    assert sum(not meme.tones for meme in memes) == 372
    pairs = [("celebration", "nostalgia"), ("complaint", "sarcasm"), ("celebration", "complaint")]
    # At random they would be 84, 43 and 126.
    assert [sum({*pair} <= {*meme.tones} for meme in memes) for pair in pairs] == [96, 72, 84]


def test_parts_stand_in_their_proportions_and_each_has_every_tone():
    corpus = MemeCorpus(memes=1201)
    sizes = {part: len(corpus.part(part)) for part in ("train", "validation", "test", "unlabelled")}
    assert sizes == {"train": 601, "validation": 180, "test": 240, "unlabelled": 180}
    for part in sizes:
        assert {tone for meme in corpus.part(part) for tone in meme.tones} == {*LABELS}


def test_captions_differ_and_one_in_fifty_is_empty():
    captions = [meme.caption for meme in MemeCorpus().memes]
    assert captions.count("") == 28
    assert len({plain(caption) for caption in captions if caption}) == 1200 - captions.count("")
    assert not [caption for caption in captions if "{" in caption]


@pytest.mark.slow
def test_a_folder_has_a_table_for_each_part_and_every_image(tmp_path, capsys):
    folder = tmp_path / "memes"
    assert main(["memes", str(folder), "--posts", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "memes   100 = 50 train + 15 validation + 20 test + 15 unlabelled",
        "        celebration 30 · complaint 25 · nostalgia 16 · sarcasm 9 · none 29",
    ]
    assert re.fullmatch(rf"folder  {folder}  \(\d+ s\)", lines[2])
    assert lines[3] == f"next    affectory collect local sandbox-memes --path {folder}"
    assert sorted(path.name for path in folder.iterdir()) == [
        "images",
        "test.csv",
        "train.csv",
        "unlabelled.csv",
        "validation.csv",
    ]
    assert len(list((folder / "images").iterdir())) == 100
    assert (folder / "train.csv").read_text().splitlines()[:2] == [
        "file_name,text,expressive,celebration,complaint,nostalgia,sarcasm",
        'm00001.jpg,"not again, broken a day to keep",1,1,1,0,0',
    ]
    assert (folder / "unlabelled.csv").read_text().splitlines()[:2] == [
        "file_name,text",
        "m00086.jpg,",
    ]


@pytest.mark.slow
def test_a_repeated_command_completes_the_folder_and_rewrites_nothing(tmp_path, capsys):
    folder = tmp_path / "memes"
    assert affectory(["sandbox", "memes", str(folder), "--posts", "100"]) == 0
    before = {path: path.stat().st_ino for path in folder.rglob("*.*")}
    (folder / "test.csv").unlink()  # as if it had been killed: the tables come last
    (folder / "images" / "m00100.jpg").unlink()
    assert affectory(["sandbox", "memes", str(folder), "--posts", "100"]) == 0
    after = {path: path.stat().st_ino for path in folder.rglob("*.*")}
    assert after.keys() == before.keys()
    missing = {folder / "test.csv", folder / "images" / "m00100.jpg"}
    assert {path for path in after if after[path] != before[path]} <= missing


def test_other_contents_are_refused_and_stay(tmp_path, capsys):
    (tmp_path / "train.csv").write_text("mine\n")
    assert main(["memes", str(tmp_path), "--posts", "100"]) == 2
    assert capsys.readouterr().err == (
        f"error: '{tmp_path}/train.csv' is there with other contents: name another folder, or delete it\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    assert (tmp_path / "train.csv").read_text() == "mine\n"


def test_too_few_memes_are_refused(tmp_path, capsys):
    assert main(["memes", str(tmp_path / "memes"), "--posts", "99"]) == 2
    assert capsys.readouterr().err == (
        "error: --posts 99 is below 100, the fewest memes with every set of labels\n"
    )
    assert not (tmp_path / "memes").exists()


@pytest.mark.slow
def test_image_and_caption_together_beat_either_alone_for_every_tone():
    """Areas under the ROC curves of linear probes, averaged over two corpora; at random they are .5."""
    found = {"image": [], "caption": [], "both": []}
    for seed in (0, 1):
        corpus = MemeCorpus(seed)
        memes = [*corpus.part("train"), *corpus.part("test")]
        held = np.array([[tone in meme.tones for tone in LABELS] for meme in memes])
        looks = np.array([_statistics(meme_pictures.draw(meme.key, meme.looks)) for meme in memes])
        looks = (looks - looks.mean(axis=0)) / (looks.std(axis=0) + 1e-9) * 4 / len(looks[0]) ** 0.5
        words = _bag_of_words([meme.caption for meme in memes])
        train, test = slice(600), slice(600, None)
        for name, inputs in (("image", looks), ("caption", words), ("both", np.hstack([looks, words]))):
            found[name].append(_areas(inputs, held, train, test))
    image, caption, both = (np.mean(found[name], axis=0) for name in ("image", "caption", "both"))
    assert image.min() > 0.65 and caption.min() > 0.65
    assert image.mean() < 0.8 and caption.mean() < 0.8
    assert both.mean() > max(image.mean(), caption.mean()) + 0.05
    assert (both - np.maximum(image, caption))[LABELS.index("sarcasm")] > 0.05
    assert (both > np.maximum(image, caption) - 0.01).all()
    assert both.mean() < 0.9
    assert (image > caption).tolist() == [False, False, True, True]


def _statistics(image):
    """Colours, saturation and edges on a grid of 6 x 6, and their histograms."""
    image = image.resize((240, 240), Image.Resampling.NEAREST)
    edges = [ImageChops.difference(image, ImageChops.offset(image, *by)) for by in ((2, 0), (0, 2))]
    planes = [image, image.convert("HSV").getchannel("S"), *edges]
    small = [np.asarray(plane.resize((6, 6), Image.Resampling.BOX)).ravel() / 255 for plane in planes]
    counted = [np.array(plane.histogram()).reshape(-1, 16).sum(axis=1) / 240**2 for plane in planes]
    return np.concatenate([*small, *map(np.sqrt, counted)])


def _bag_of_words(captions):
    bags = [{*re.findall("[a-z]+", caption.lower())} for caption in captions]
    place = {word: number for number, word in enumerate(sorted(set.union(*bags)))}
    found = np.zeros((len(bags), len(place)))
    for row, bag in enumerate(bags):
        found[row, [place[word] for word in bag]] = 1
    return found


def _areas(inputs, held, train, test, ridge=8):
    """Fit least squares with a ridge penalty on training; return the area of each label on test."""
    centre, y = inputs[train].mean(axis=0), held[train] - held[train].mean(axis=0)
    x = inputs[train] - centre
    weights = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), y)
    scores, holds = (inputs[test] - centre) @ weights, held[test]
    return [
        np.mean(scores[holds[:, k], k][:, None] > scores[~holds[:, k], k][None]) for k in range(len(LABELS))
    ]
