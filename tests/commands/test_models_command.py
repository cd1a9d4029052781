"""`affectory models`: the models, and the settings of one."""

import json
import subprocess
import sys

import pytest

from affectory import cli
from affectory.commands import models
from baselines.models import registry

KNOWN = [*registry.MODELS, *registry.FAMILIES]


def test_without_a_name_every_family_and_model_is_listed(capsys):
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:7] == [
        "duong2017",
        "  image         Image-based",
        "  text          Text-based",
        "  late          Late fusion",
        "  early         Early fusion",
        "  joint         Joint fusion",
        "  common        Common space fusion",
    ]
    assert [line for line in lines if line and not line.startswith((" ", "affectory"))] == list(
        registry.FAMILIES
    )
    assert [line.split()[0] for line in lines if line.startswith(" ")] == list(registry.MODELS)
    assert lines[-2:] == [
        "affectory models NAME lists a model's settings,",
        "affectory run DATASET --models NAME trains it",
    ]


def test_a_models_settings_have_default_range_meaning_and_the_papers_value(capsys):
    assert models.main(["common"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Common space fusion (reads image and text)"
    place = lines.index("--set common.weight=3               λ, the weight of the likelihood (above 0)")
    assert lines[place + 1 : place + 4] == [
        "                                    [duong2017: 3]",
        "--set common.negatives=3            g, texts of other classes per post (1 or",
        "                                    more)",
    ]
    assert lines[-1] == "In brackets: the value of --preset duong2017."


def test_every_setting_of_every_model_has_a_meaning():
    for name in (*registry.MODELS, *registry.SHARED):
        told = models._listed(name).text.splitlines()
        assert told[0].startswith((registry.SHARED.get(name) or registry.entry(name)).title)
        kind = registry.settings_of(name)
        if kind is not None:
            assert sum(line.startswith(f"--set {name}.") for line in told) == len(kind.__dataclass_fields__)


def test_models_and_their_settings_are_there_as_json(capsys):
    assert models.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        **{"model": "image", "family": "duong2017", "title": "Image-based"},
    }
    assert models.main(["common", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["reads"]) == ("common", ["image", "text"])
    assert found["settings"][-2] == {
        **{"key": "weight", "default": 3.0, "values": "above 0"},
        **{"meaning": "λ, the weight of the likelihood", "presets": {"duong2017": 3.0}},
    }


def test_a_row_that_is_made_of_two_others_names_them(capsys):
    assert models.main(["late"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Late fusion (reads image and text): the product of image and text",
        "It has no settings: set those of its two models.",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("joimt", "error: there is no model 'joimt'; did you mean joint?"),
        (
            "x",
            f"error: there is no model 'x'; it is one of {', '.join(KNOWN)}",
        ),
    ],
)
def test_an_unknown_model_is_one_line_and_exit_code_2(capsys, name, told):
    assert models.main([name]) == 2
    assert capsys.readouterr().err.splitlines() == [told]


@pytest.mark.slow
def test_the_list_of_models_imports_no_torch():
    program = (
        "import sys; from affectory.commands import models; models.main([]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
