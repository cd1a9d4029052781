"""A folder of a table and pictures with its recipe, as the tests of `collectors.local` collect it."""

import io
import sqlite3

from PIL import Image

from collectors.local.__main__ import main

HEAD = """\
name = "mine"
title = "Mine"
summary = "A set of my own."
"""

RECIPE = (
    HEAD
    + """\
[source.local]
tables = ["posts.csv"]
id = "name"
title = "text"
label = "mood"
image = "pictures/{name}.jpg"
[labels]
happy = "happy"
sad = "sad"
"""
)


def jpeg(number, size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "JPEG", comment=f"picture {number}".encode())
    return out.getvalue()


def collect(place, *more, name="mine"):
    options = ["--path", str(place / "folder"), "--store", str(place / "store")]
    return main([name, *options, "--datasets", str(place / "datasets"), "--workers", "1", *more])


def recipe(place, text):
    (place / "datasets" / "mine" / "recipe.toml").write_text(text)


def query(place, sql):
    with sqlite3.connect(place / "store" / "crawl.sqlite") as db:
        return db.execute(sql).fetchall()


def printed(capsys):
    """What was printed, without the line that holds the folder and the seconds."""
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if not line.startswith("store ")]
