import math
from types import SimpleNamespace

import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.experiment import chosen
from baselines.models import make
from baselines.run import main
from baselines.settings import FinetuneSettings, Settings, TextSettings


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (Settings, {"lr": 0.0}, "lr = 0.0: it must be above 0"),
        (Settings, {"lr": math.nan}, "lr = nan: it must be above 0"),
        (Settings, {"lr": math.inf}, "lr = inf: it must be above 0"),
        (Settings, {"weight": 0.0}, "weight = 0.0: it must be above 0"),
        (Settings, {"word_rate": -1.0}, "word_rate = -1.0: it must be 0 or more"),
        (Settings, {"batch": 0}, "batch = 0: it must be 1 or more"),
        (Settings, {"epochs": 0}, "epochs = 0: it must be 1 or more"),
        (Settings, {"patience": 0}, "patience = 0: it must be 1 or more"),
        (Settings, {"hidden": 0}, "hidden = 0: it must be 1 or more"),
        (Settings, {"dropout": 1.0}, "dropout = 1.0: it must be between 0 and .99"),
        (Settings, {"negatives": -1}, "negatives = -1: it must be 0 or more"),
        (FinetuneSettings, {"batch": 0}, "batch = 0: it must be 1 or more"),
        (FinetuneSettings, {"backbone_lr": -0.1}, "backbone_lr = -0.1: it must be 0 or more"),
        (FinetuneSettings, {"momentum": 1.0}, "momentum = 1.0: it must be between 0 and .99"),
        (TextSettings, {"dim": 0}, "dim = 0: it must be 1 or more"),
        (TextSettings, {"bucket": -5}, "bucket = -5: it must be 1 or more"),
        (TextSettings, {"lr": math.nan}, "lr = nan: it must be above 0"),
        (TextSettings, {"minn": 5, "maxn": 3}, "minn = 5 is above maxn = 3: no n-gram is that long"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, wrong, said):
    with pytest.raises(BaselineError) as error:
        kind(**wrong)
    assert str(error.value) == said


def test_the_least_that_makes_sense_is_taken():
    frozen_words = Settings(word_rate=0, negatives=0, dropout=0, weight_decay=0, momentum=0)
    assert (frozen_words.word_rate, frozen_words.negatives) == (0, 0)
    assert TextSettings(minn=0, maxn=0).maxn == 0


@pytest.mark.parametrize(
    ("release", "asked", "g"),
    [("flickr-emotion", None, 4), ("flickr-emotion", 3, 3), ("reddit-emotion", None, 3), ("my-own", None, 3)],
)
def test_the_common_space_takes_the_papers_number_of_other_texts(release, asked, g):
    made = SimpleNamespace(vectors=None, release=SimpleNamespace(name=release))
    found = chosen(("common",), Settings(negatives=asked), TextSettings(), made)
    assert found["common"].g == g
    assert make("common", 4, torch.zeros(3, 2), 2, found["common"]).negatives_per_post == g


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--neural.batch=0", "batch = 0: it must be 1 or more"),
        ("--finetuning.lr=-1", "lr = -1.0: it must be above 0"),
        ("--text.dim=0", "dim = 0: it must be 1 or more"),
    ],
)
def test_the_command_refuses_them_before_it_reads_anything(capsys, option, said):
    with pytest.raises(SystemExit) as ended:
        main(["nothing-of-the-kind", option])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
