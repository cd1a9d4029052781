import math
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from affectory.core.errors import BaselineError
from baselines.experiment import chosen
from baselines.models import registry
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.models.duong2017.text import TextSettings
from baselines.models.settings import Described, ModelSettings, as_values, changed, described, setting
from baselines.results import published
from baselines.run import main
from baselines.training.finetune_steps import FinetuneSettings


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (ImageSettings, {"lr": 0.0}, "lr = 0.0: it must be above 0"),
        (ImageSettings, {"lr": math.nan}, "lr = nan: it must be above 0"),
        (ImageSettings, {"lr": math.inf}, "lr = inf: it must be above 0"),
        (CommonSettings, {"weight": 0.0}, "weight = 0.0: it must be above 0"),
        (JointSettings, {"word_rate": -1.0}, "word_rate = -1.0: it must be 0 or more"),
        (ImageSettings, {"batch": 0}, "batch = 0: it must be 1 or more"),
        (ImageSettings, {"epochs": 0}, "epochs = 0: it must be 1 or more"),
        (ImageSettings, {"patience": 0}, "patience = 0: it must be 1 or more"),
        (FusionSettings, {"hidden": 0}, "hidden = 0: it must be 1 or more"),
        (FusionSettings, {"dropout": 1.0}, "dropout = 1.0: it must be 0 to 0.99"),
        (CommonSettings, {"negatives": 0}, "negatives = 0: it must be 1 or more"),
        (FinetuneSettings, {"batch": 0}, "batch = 0: it must be 1 or more"),
        (FinetuneSettings, {"backbone_lr": -0.1}, "backbone_lr = -0.1: it must be 0 or more"),
        (FinetuneSettings, {"momentum": 1.0}, "momentum = 1.0: it must be 0 to 0.99"),
        (TextSettings, {"dim": 0}, "dim = 0: it must be 1 or more"),
        (TextSettings, {"bucket": -5}, "bucket = -5: it must be 1 or more"),
        (TextSettings, {"lr": math.nan}, "lr = nan: it must be above 0"),
        (TextSettings, {"minn": 5, "maxn": 3}, "minn = 5 is above maxn = 3: no n-gram is that long"),
    ],
)
def test_numbers_out_of_their_range_are_refused(kind, wrong, said):
    with pytest.raises(BaselineError) as error:
        kind(**wrong)
    assert str(error.value) == said


def test_the_ends_of_a_range_are_taken():
    frozen_words = FusionSettings(word_rate=0, dropout=0, weight_decay=0, momentum=0)
    assert (frozen_words.word_rate, frozen_words.dropout) == (0, 0)
    assert FusionSettings(dropout=0.99).dropout == 0.99
    assert TextSettings(minn=0, maxn=0).maxn == 0


@dataclass(frozen=True, slots=True)
class Every(ModelSettings):
    """A setting of every type."""

    rate: float = setting(0.5, "a rate", above=0, most=1)
    number: int = setting(2, "a number", least=1)
    on: bool = setting(True, "a switch")
    how: Literal["max", "mean"] = setting("max", "a choice")
    width: int | None = setting(None, "a width, or none", least=1)
    said: str = setting("x", "a text")
    free: float = setting(0.0, "any number")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("rate", "0.25", 0.25),
        ("rate", "1e-3", 0.001),
        ("rate", "1", 1.0),
        ("number", "7", 7),
        ("on", "false", False),
        ("on", "True", True),
        ("how", "mean", "mean"),
        ("width", "none", None),
        ("width", "None", None),
        ("width", "12", 12),
        ("said", "any text", "any text"),
        ("said", "1.5", "1.5"),
        ("free", "-3", -3.0),
    ],
)
def test_a_string_is_read_as_the_type_of_its_setting(key, text, value):
    found = getattr(changed(Every(), key, text), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("number", "1.5", "--set toy.number=1.5: '1.5' is not a whole number"),
        ("number", "0", "number = 0: it must be 1 or more"),
        ("rate", "fast", "--set toy.rate=fast: 'fast' is not a number"),
        ("rate", "1.1", "rate = 1.1: it must be above 0 and at most 1"),
        ("rate", "nan", "rate = nan: it must be above 0 and at most 1"),
        ("free", "inf", "free = inf: it must be finite"),
        ("on", "yes", "--set toy.on=yes: 'yes' is not true or false"),
        ("how", "median", "--set toy.how=median: 'median' is not max or mean"),
        ("width", "wide", "--set toy.width=wide: 'wide' is not a whole number or none"),
        ("width", "0", "width = 0: it must be 1 or more"),
        ("widht", "3", "--set toy.widht: toy has no setting 'widht'; did you mean width?"),
        (
            "zzz",
            "3",
            "--set toy.zzz: toy has no setting 'zzz'; it is one of rate, number, on, how, width, said, free",
        ),
    ],
)
def test_another_value_is_refused_in_one_line(key, text, said):
    with pytest.raises(BaselineError) as error:
        changed(Every(), key, text, model="toy")
    assert str(error.value) == said


def test_every_setting_is_described_with_its_default_its_values_and_its_meaning():
    assert list(described(Every)) == [
        Described("rate", 0.5, "above 0 and at most 1", "a rate"),
        Described("number", 2, "1 or more", "a number"),
        Described("on", True, "true or false", "a switch"),
        Described("how", "max", "max or mean", "a choice"),
        Described("width", None, "1 or more", "a width, or none"),
        Described("said", "x", "", "a text"),
        Described("free", 0.0, "", "any number"),
    ]


@pytest.mark.parametrize("name", [*registry.MODELS, *registry.SHARED])
def test_the_settings_of_every_model_say_what_they_mean(name):
    kind = registry.settings_of(name)
    if kind is None:
        assert registry.spec(name).made_of is not None
        return
    assert all(one.meaning for one in described(kind))
    assert as_values(kind()) == {one.key: one.default for one in described(kind)}
    assert replace(kind()) == kind()


# The registry.


def test_a_setting_of_a_model_is_read_by_its_name():
    assert registry.given(["joint.lr=0.1", "text.dim=none", "finetune.batch=4", "joint.lr=0.2"]) == {
        "joint": {"lr": 0.2},
        "text": {"dim": None},
        "finetune": {"batch": 4},
    }
    assert registry.given([]) == {}


def test_a_family_stands_for_its_models_that_have_the_setting():
    assert registry.given(["duong2017.hidden=7"]) == {
        model: {"hidden": 7} for model in ("early", "joint", "common")
    }
    assert registry.given(["duong2017.lr=0.3"]) == {
        model: {"lr": 0.3} for model in ("image", "text", "early", "joint", "common")
    }


def test_settings_that_belong_together_are_read_together():
    """Each alone would contradict the default of the other."""
    assert registry.given(["text.minn=7", "text.maxn=8"]) == {"text": {"minn": 7, "maxn": 8}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("jiont.lr=1", "there is no model 'jiont'; did you mean joint?"),
        ("duong.lr=1", "there is no model 'duong'; did you mean duong2017?"),
        (
            "xyz.lr=1",
            f"there is no model 'xyz'; it is one of {', '.join([*registry.MODELS, *registry.FAMILIES])}",
        ),
        (
            "joint.wordrate=1",
            "--set joint.wordrate: joint has no setting 'wordrate'; did you mean word_rate?",
        ),
        (
            "duong2017.wordrate=1",
            "--set duong2017.wordrate: duong2017 has no setting 'wordrate'; did you mean word_rate?",
        ),
        ("joint.lr=0", "lr = 0.0: it must be above 0"),
        ("late.lr=1", "--set late.lr=1: late has no settings: it is made of two other rows"),
        ("text.minn=7", "minn = 7 is above maxn = 6: no n-gram is that long"),
    ],
)
def test_unknown_models_keys_and_values_are_refused_in_one_line(change, said):
    with pytest.raises(BaselineError) as error:
        registry.given([change])
    assert str(error.value) == said


def test_models_are_selected_once_by_name_or_family():
    every = ("image", "text", "late", "early", "joint", "common")
    assert registry.selected(["duong2017"]) == every
    assert registry.selected(["multitask"]) == ("si", "st", "l_fus", "sm", "cv_ct_cm")
    assert registry.selected(["joint", "duong2017", "joint"]) == (
        "joint",
        "image",
        "text",
        "late",
        "early",
        "common",
    )
    assert registry.selected([]) == ()
    with pytest.raises(BaselineError, match=r"^there is no model 'earl'; did you mean early\?$"):
        registry.selected(["earl"])


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_model_s_spec_agrees_with_its_line(name):
    spec = registry.spec(name)
    assert spec.name == name
    assert registry.entry(name).family in registry.FAMILIES
    settings = spec.settings() if spec.settings else None
    assert spec.title(settings)
    assert set(spec.modes) == {"both", *spec.reads}
    assert set(spec.heads) >= set(spec.modes)
    assert (spec.settings is None) == (spec.made_of is not None)


@pytest.mark.parametrize(
    ("release", "given", "expected"),
    [
        ("flickr-emotion", {}, 4),
        ("flickr-emotion", {"common": {"negatives": 3}}, 3),
        ("reddit-emotion", {}, 3),
        ("my-own", {}, 3),
    ],
)
def test_common_space_fusion_takes_the_paper_s_number_of_other_texts(release, given, expected):
    found = chosen(["common"], published.preset("affectory", release), given)
    assert found["common"].negatives == expected
    assert registry.spec("common").stages(found["common"])[0].other_texts == expected


def test_what_is_given_wins_over_the_preset_and_the_preset_over_the_defaults():
    strict = published.preset("duong2017", "reddit-emotion")
    found = chosen(["late", "joint"], strict, {"joint": {"lr": 0.5}})
    assert list(found) == ["image", "text", "joint"]
    assert found["image"] == ImageSettings(lr=0.01, standardise=False)
    assert found["joint"].lr == 0.5
    assert (found["joint"].word_rate, found["joint"].centre) == (1.0, False)
    assert found["text"] == TextSettings()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("joint.batch=0", "batch = 0: it must be 1 or more"),
        ("finetune.lr=-1", "lr = -1.0: it must be above 0"),
        ("text.dim=0", "dim = 0: it must be 1 or more"),
        ("joint", "--set 'joint': write MODEL.KEY=VALUE, such as joint.lr=0.1"),
        ("joint=0.1", "--set 'joint=0.1': write MODEL.KEY=VALUE, such as joint.lr=0.1"),
        ("joint.lr", "--set 'joint.lr': write MODEL.KEY=VALUE, such as joint.lr=0.1"),
    ],
)
def test_the_command_refuses_them_before_it_reads_a_row(tmp_path, capsys, change, said):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text('configs:\n- config_name: "1.0.0"\n')  # and no rows
    assert main(["mine", "--datasets", str(tmp_path), "--set", change]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
