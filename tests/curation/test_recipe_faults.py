"""Faults of a recipe.toml: each is one line with the key, the value and what to write instead."""

import re

import pytest

from affectory.core.errors import RecipeError, ReleaseError
from curation.recipe.recipe import load, recorded
from tests.curation.stores import RECIPE, write_recipe

BASE = RECIPE.format(name="test")
A_LABEL = "it has a line break, or a character that can't be seen: remove it"
LOCAL = '[source.local]\nid = "id"\ntables = ["a.csv"]\ntitle = "t"\njoin = ["b.csv"]\n'
PAIRS = 'write the two columns that are equal, as ["id", "file"], or such a pair for each table'
MARK = r'write the one character that divides cells, as "," or ";" or "\t"'
SPACES = "it has spaces around it: remove them"


def refusal(path):
    with pytest.raises(RecipeError) as error:
        load(path)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[expected]\nhapiness = 3\n",
            "expected has 'hapiness': there is no such label; there are 'joy', 'fear'",
        ),
        (
            "[expected_image_only]\nhapiness = 3\n",
            "expected_image_only has 'hapiness': there is no such label; there are 'joy', 'fear'",
        ),
        (
            '[multilabel]\nnames = ["a"]\nexpected = { b = 3 }\n',
            "multilabel.expected has 'b': there is no such label; there are 'a'",
        ),
        ("[expected]\njoy = -3\n", "expected.joy = -3: Input should be greater than or equal to 0"),
        ("[expected]\njoy = true\n", "expected.joy = true: Input should be a valid integer"),
        ("[expected]\njoy = 3.0\n", "expected.joy = 3.0: Input should be a valid integer"),
        ('"" = "fear"\n', "labels.'': no post has this label: labels have no spaces around them"),
        ('" sad" = "fear"\n', "labels.' sad': no post has this label: labels have no spaces around them"),
        ('sad = " fear"\n', f"labels.sad = ' fear': {SPACES}"),
        ('sad = "a\\nb"\n', rf"labels.sad = 'a\nb': {A_LABEL}"),
        ('"very sad" = "a\\u0007"\n', rf"labels.'very sad' = 'a\x07': {A_LABEL}"),
        ('sad = "fear\\u202e"\n', rf"labels.sad = 'fear\u202e': {A_LABEL}"),
        ('sad = "fear\\u200b"\n', rf"labels.sad = 'fear\u200b': {A_LABEL}"),
        (
            f'sad = "{"f" * 101}"\n',
            f"labels.sad = '{'f' * 80}'… (101 characters): it has more than 100 characters: shorten it",
        ),
        ('sad = "Fear"\n', "labels has 'fear' and 'Fear', which look alike: write both in one way"),
        (
            'a = "caf\\u00e9"\nb = "cafe\\u0301"\n',
            "labels has 'café' and 'cafe\u0301', which look alike: write both in one way",
        ),
        ('[multilabel]\nnames = ["a", "a"]\n', "multilabel.names has 'a' twice: remove one"),
        (
            '[text.ocr]\ncache = "s3://b/c"\n',
            "text.ocr.cache = 's3://b/c': it is an address: name a folder",
        ),
        (
            '[multilabel]\nnames = ["a", "A"]\n',
            "multilabel.names has 'a' and 'A', which look alike: write both in one way",
        ),
        ('[multilabel]\nnames = ["a "]\n', f"multilabel.names has 'a ': {SPACES}"),
        (
            '[multilabel]\nnames = [""]\n',
            "multilabel.names.0 = '': it is empty: fill it in, or remove the key",
        ),
        ("[multilabel]\nnames = []\n", "multilabel.names = []: must list at least one"),
        ("[labelled]\npercent = [5, 5]\n", "labelled.percent has 5 twice: remove one"),
        ("[labelled]\npercent = []\n", "labelled.percent = []: must list at least one"),
        ("[labelled]\npercent = [true, 3]\n", "labelled.percent.0 = true: Input should be a valid integer"),
        ("[text]\nparts = []\n", "text.parts = []: must list at least one"),
        ('[text]\nparts = ["title", "title"]\n', "text.parts has 'title' twice: remove one"),
        ('[text]\nparts = "title"\n', "text.parts = 'title': must be a list: put it in [ ]"),
        ('[source]\ncommunities = ["happy", "happy"]\n', "source.communities has 'happy' twice: remove one"),
        ('[source]\nstore = ""\n', "source.store = '': it is empty: fill it in, or remove the key"),
        ('[source]\nstore = "a\\u0000"\n', r"source.store = 'a\x00': it has a null character: remove it"),
        ('[[filters]]\nuse = "language"\nkeep = ["en", "en"]\n', "filters.0.keep has 'en' twice: remove one"),
        (
            '[[filters]]\nuse = "score"\nmin = 3\n[[filters]]\nuse = "score"\nmin = 3\n',
            "filters has {'use': 'score', 'min': 3} twice: remove one",
        ),
        (
            '[[filters]]\nuse = "score"\nmin = true\n',
            "filters.0.score.min = true: Input should be a valid integer",
        ),
        (
            '[[filters]]\nuse = "score"\nmin = "3"\n',
            "filters.0.score.min = '3': Input should be a valid integer",
        ),
        (
            '[[filters]]\nuse = "score"\nmin = nan\n',
            "filters.0.score.min = nan: Input should be a valid integer",
        ),
        (
            f'[[filters]]\nuse = "score"\nmin = {2**63}\n',
            "filters.0.min has more than 64 bits: write a smaller number",
        ),
        (
            f'[[filters]]\nuse = "words"\nmax = 0x{"f" * 10_000}\n',
            "filters.0.max has more than 64 bits: write a smaller number",
        ),
        (
            '[[filters]]\nuse = "language"\nmin_score = nan\n',
            "filters.0.language.min_score = nan: Input should be a finite number",
        ),
        (
            '[[filters]]\nuse = "language"\nmin_score = "0.3"\n',
            "filters.0.language.min_score = '0.3': Input should be a valid number",
        ),
        ("[split]\ntest = inf\n", "split.test = inf: Input should be a finite number"),
        ("[split]\ntest = true\n", "split.test = true: Input should be a valid number"),
        ('[split]\nseed = "1"\n', "split.seed = '1': Input should be a valid integer"),
        ("[images]\nquality = 92.0\n", "images.quality = 92.0: Input should be a valid integer"),
        ("[publish]\nimages = 0\n", "publish.images = 0: Input should be a valid boolean"),
        (
            "[duplicates]\ndistance = true\n",
            "duplicates.images.1.distance = true: Input should be a valid integer",
        ),
        (
            '[source.local]\nid = ""\ntables = ["a.csv"]\ntitle = "text"\n',
            "source.local.id = '': it is empty: fill it in, or remove the key",
        ),
        (
            '[source.local]\nid = "id"\ntables = ["a.csv"]\ntitle = "t"\nunlabelled = ["a.csv", "a.csv"]\n',
            "source.local.unlabelled has 'a.csv' twice: remove one",
        ),
        (
            '[source.local]\nid = "id"\ntables = ["a.csv"]\ntitle = "t"\nquoted = "no"\n',
            "source.local.quoted = 'no': Input should be a valid boolean",
        ),
        (LOCAL + 'join_on = ["a"]\n', f"source.local.join_on = ['a']: {PAIRS}"),
        (LOCAL + "join_on = 3\n", f"source.local.join_on = 3: {PAIRS}"),
        (LOCAL + 'join_on = [["a", "b"], ["c"]]\n', f"source.local.join_on = [['a', 'b'], ['c']]: {PAIRS}"),
        (LOCAL + 'delimiter = ""\n', f"source.local.delimiter = '': {MARK}"),
        (LOCAL + 'delimiter = "\\n"\n', rf"source.local.delimiter = '\n': {MARK}"),
        (LOCAL + 'delimiter = "||"\n', f"source.local.delimiter = '||': {MARK}"),
    ],
)
def test_a_fault_is_one_line_with_key_value_and_the_next_step(tmp_path, text, message):
    path = write_recipe(tmp_path, text)
    assert refusal(path) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"Test"', '""'), "title = '': it is empty: fill it in, or remove the key"),
        (('"Test"', r'"a\nb"'), r"title = 'a\nb': write it on one line, without control characters"),
        (
            ('"A test."', r'"\u001b[2J"'),
            r"summary = '\x1b[2J': write it on one line, without control characters",
        ),
        (('"Test"', "2020-01-01"), "title = 2020-01-01: Input should be a valid string"),
        (
            ("[labels]", "images = 3\n[labels]"),
            "images = 3: must be a table: write its keys below its name in [ ]",
        ),
        (("[labels]", '"a\\nb" = 3\n[labels]'), r"'a\nb' = 3: there is no such key; there are KEYS"),
        (
            ("[labels]", f'k = "{"x" * 200_000}"\n[labels]'),
            f"k = '{'x' * 80}'… (200,000 characters): there is no such key; there are KEYS",
        ),
        (
            ("[labels]", "[odd]\n" + "".join(f"k{i} = 1\n" for i in range(20_000)) + "[labels]"),
            "odd = {'k0': 1, 'k1': 1, 'k2': 1, 'k3': 1, 'k4': 1, 'k5': 1, 'k6': 1, 'k7': 1, "
            "… and 19,992 more}: there is no such key; there are KEYS",
        ),
        (
            ("[labels]", "".join(f"k{i} = 1\n" for i in range(2000)) + "[labels]"),
            "k0 = 1: there is no such key; there are KEYS (and 1,999 more)",
        ),
        (
            ("[labels]", "k = " + "[" * 100 + "]" * 100 + "\n[labels]"),
            "k = [[…]]: there is no such key; there are KEYS",
        ),
    ],
)
def test_a_fault_outside_of_the_labels_is_one_line_too(tmp_path, change, message):
    path = write_recipe(tmp_path)
    path.write_text(BASE.replace(*change))
    keys = (
        "name, title, summary, paper, source, labels, text, images, filters, duplicates, split, publish, "
        "expected, expected_image_only, multilabel, labelled"
    )
    assert refusal(path) == f"{path}: {message.replace('KEYS', keys)}"


def test_expected_counts_of_many_labels_that_do_not_exist_are_cut(tmp_path):
    path = write_recipe(tmp_path, "[expected]\n" + "".join(f"k{i:05} = 1\n" for i in range(20_000)))
    names = ", ".join(f"'k{i:05}'" for i in range(8))
    said = f"expected has {names}, … and 19,992 more: there is no such label; there are 'joy', 'fear'"
    assert refusal(path) == f"{path}: {said}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BASE.encode("utf-16"), "PATH is not UTF-8 (byte 0): save it with the encoding UTF-8"),
        (
            BASE.replace("T", "\xdc").encode("latin-1"),
            "PATH is not UTF-8 (byte 23): save it with the encoding UTF-8",
        ),
        (BASE.encode() + b"\0", "PATH is not TOML: Invalid statement (at line 7, column 1)"),
        (
            b"k = " + b"[" * 5000 + b"]" * 5000,
            "PATH is not a recipe: its lists or tables are too deeply nested",
        ),
        (
            b"k = " + b"9" * 5000,
            "PATH is not TOML: Exceeds the limit (4300 digits) for integer string conversion: "
            "value has 5000 digits",
        ),
        (b"\n" * ((16 << 20) + 1), "the recipe PATH has more than 16 MB: is it another file?"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(tmp_path, data, message):
    path = write_recipe(tmp_path)
    path.write_bytes(data)
    assert refusal(path) == message.replace("PATH", repr(str(path)))


def test_an_empty_file_lacks_the_required_keys(tmp_path):
    path = write_recipe(tmp_path)
    path.write_bytes(b"")
    assert refusal(path) == f"{path}: name: Field required (and 3 more)"


def test_a_folder_in_place_of_the_recipe_is_one_line(tmp_path):
    path = write_recipe(tmp_path)
    path.unlink()
    path.mkdir()
    assert refusal(path) == f"the recipe {str(path)!r} is not a file: write the recipe there"


def test_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path):
    path = write_recipe(tmp_path)
    plain = load(path)
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load(path) == plain


def test_joiners_within_a_label_are_part_of_its_script(tmp_path):
    recipe = load(write_recipe(tmp_path, 'sad = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"\n'))
    assert recipe.classes == ["joy", "fear", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]


def test_the_recipe_of_an_earlier_release_is_read_with_faults_that_are_refused_now(tmp_path):
    plain = load(write_recipe(tmp_path)).plain()
    recipe = recorded(plain | {"expected": {"hapiness": 3}, "title": ""}, "test 1.0.0")
    assert recipe.expected == {"hapiness": 3}


def test_the_recipe_of_a_release_by_a_newer_program_is_one_line(tmp_path):
    plain = load(write_recipe(tmp_path)).plain()
    message = (
        "the recipe in the manifest of test 1.0.0 can't be used: split.fold = 3: there is no such key; there "
        "are rule, test, validation, leakage, seed, given, within; if a newer affectory has built it, upgrade"
    )
    with pytest.raises(ReleaseError, match=f"^{re.escape(message)}$"):
        recorded(plain | {"split": {"fold": 3}}, "test 1.0.0")


def test_a_title_may_have_spaces_that_do_not_break_and_joined_emoji(tmp_path):
    path = write_recipe(tmp_path)
    path.write_text(BASE.replace("Test", "Joie\u00a0! \U0001f469\u200d\U0001f4bb"))
    assert load(path).title == "Joie\u00a0! \U0001f469\u200d\U0001f4bb"
