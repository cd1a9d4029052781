"""The shell of a page: head, security policy, navigation, style sheet and script, all in one file.

The Content-Security-Policy allows inline images and, by their SHA-256 digests, this page's style sheet and
script. Everything else is refused: the page sends no request, and no script in a post's text can run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib import resources

from affectory.core.html.markup import Html, h, join


def page(
    sections: Iterable[Html | None],
    *,
    title: str,
    home: str,
    places: Mapping[str, str],
    style: str,
    script: str = "",
    description: str | None = None,
    sorts: bool = False,
) -> str:
    """Return a complete HTML page.

    `title` is the text of `<title>`. `home` is the navigation's link to the top (the element with the id
    `top`); `places` gives its other links as {id: text}, and those whose id is on the page are shown.
    `style` and `script` are the page's own CSS and JavaScript, which follow the shared ones; with `sorts` the
    reader can sort the tables of the class "sortable". Sections that are None are left out.
    """
    own = resources.files(__package__)
    css = own.joinpath("page.css").read_text(encoding="utf-8") + style
    shared = ("page.js", "sort.js") if sorts else ("page.js",)
    code = "".join(own.joinpath(name).read_text(encoding="utf-8") for name in shared) + script
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(css)}; script-src {_digest(code)}; "
        "base-uri 'none'; form-action 'none'"
    )
    body = join(sections, "\n")
    links = [h("a", text, href=f"#{key}") for key, text in places.items() if f'id="{key}"' in body]
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("meta", name="referrer", content="no-referrer"),
        h("meta", name="description", content=description) if description else None,
        h("title", title),
        h("style", Html(css)),
    )
    navigation = h("nav", h("a", home, href="#top", cls="home"), *links, aria_label="Sections")
    content = h("body", navigation, "\n", h("main", body), h("script", Html(code)))
    whole = h("html", head, "\n", content, lang="en")
    return f"<!doctype html>\n{whole}\n"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
