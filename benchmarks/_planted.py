"""A thousand lines with and without names, addresses and numbers, for `benchmarks.masks`.

They are made of templates. Each form and each hard negative is in one half only, so that the half for
reporting has none of those by which the rules were chosen. Numbers are those set aside for fiction (555-01xx,
Ofcom's and others' ranges for drama), addresses are at example domains where the form allows it, and all
names are invented.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

#: Forms that are to be masked, by kind: every second one, from the first, is for choosing.
FORMS = {
    "usernames": [
        "u/{name}", "/u/{name}", "@{name}", "https://www.reddit.com/user/{name}", "reddit.com/u/{name}",
        "https://old.reddit.com/user/{name}/comments/", "@{name}, @{other}", "u/{name}'s", "(u/{name})",
        "@{dotted}", "**u/{name}**", "U/{Name}", "@{Name}!", "@{NAME}", "IG: @{dotted}", "twitter:@{name}",
        "/u/{name}, /u/{other}", "u/{escaped}", "[u/{name}](https://www.reddit.com/user/{name})",
        "tiktok.com/@{name}", "@{name}'s", "https://youtube.com/@{name}/videos",
        "flickr.com/photos/{name}/4155550142/", "{digits}@N05", "@{digit_first}",
        "@{name}@mastodon.example", "r/u_{name}", "cc:@{name}", "@{name}...", "by @{short}", "u / {name}",
        "user {name}",
    ],
    "emails": [
        "{name}@example.org", "{dotted}@example.com", "{dotted}+reddit@mail.example.co.uk",
        "<{name}@example.net>", "mailto:{name}@example.org", "{NAME}@EXAMPLE.COM", "{name} @ gmail.com",
        "{name}@gmail.com.", "{name}[at]example.com", "{name} (at) example.org",
        "{name} [at] example [dot] com", "{name}(at)gmail(dot)com", "{name} at gmail dot com",
        "{name} AT yahoo DOT com", "{name}_@hotmail.com", "({dotted}@students.example.edu)",
        "{name}@example-mail.example.org", "e-mail:{name}@example.org", "{name}@xn--bcher-kva.example",
        "{name}@b\u00fccher.example", "{name} at example dot org", "{name}@example . org",
        "{name} {{at}} example.com", "{dotted} at mail dot example dot com",
    ],
    "phones": [
        "({us3}) 555-{us4}", "{us3}-555-{us4}", "{us3}.555.{us4}", "+1 {us3} 555 {us4}",
        "+1-{us3}-555-{us4}", "1-{us3}-555-{us4}", "{us3}555{us4}", "{us3} 555 {us4}",
        "1 ({us3}) 555-{us4}", "+1{us3}555{us4}", "({us3})555-{us4}", "tel:{us3}-555-{us4}",
        "{us3}-555-{us4} ext. 12", "{us3}/555-{us4}", "+44 20 7946 0{gb3}", "020 7946 0{gb3}",
        "0121 496 0{gb3}", "+44 (0)161 496 0{gb3}", "0117-496-0{gb3}", "(0131) 496 0{gb3}",
        "+49 30 23125 {gb3}", "+33 1 99 00 {two} {two}", "+61 2 5550 {us4}", "030 23125 {gb3}", "555-{us4}",
        "01 99 00 {two} {two}",
    ],
}  # fmt: skip

CARRIERS = [
    "thanks to {it} for the picture", "{it} made my day", "please contact {it} about the dog",
    "my cat, 3 years old: {it}", "I'm so happy today! {it}", "found by {it} in 2015", "just ask {it}",
    "who is {it} and why are they so nice", "lost since 12:30, reach {it} please", "{it} (r/happy)",
    "credit: {it}", "so sad :( {it} knows why",
]  # fmt: skip

#: Lines that stay: every second one, from the first, is for choosing.
NEGATIVES = [
    "r/{word} never disappoints", "posted in /r/{word} and r/{other}",
    "https://www.reddit.com/r/{word}/comments/{n6}/", "dinner @{hour}pm tonight", "meet me @ {hour}",
    "@{hour}:30 we leave", "gym @{hour}am-{hour}pm", "{hour}:{two}, still awake",
    "{year}-{month}-{day} was the best day", "{month}/{day}/{year} {hour}:{two}", "from {year} to 20{two}",
    "{year}-20{two}", "paid ${n1},{n3},{n3}.99 for it", "${n3}.{two} or \u20ac{n3}",
    "won {n1},{n3} to {n3}", "rated it {n1}.5/10", "{n1}/10 would cry again", "score {n3}-{n3}-{n4}",
    "{n3}:{n3} at half time", "100% happy, {n1}{n3}% sure", "me/you/him and/or her",
    "he/she/u/they whatever", "w/u all day", "i love u/hate u", "on/u/off again",
    "\U0001f600 @_@ >@< \U0001f4de", "\u00af\\_(\u30c4)_/\u00af @.@", "f@ck this sh@t", "h@ppy birthd@y",
    "@$$ and @ss", "npm install @{word}/{other}", "import {{ x }} from '@{word}/core'",
    "{word}@{n1}.{n1}.{n1}", "pip install {word}=={n1}.{two}.{n3}", "icon@2x.png is blurry", "photo@3x.jpg",
    "git@github.com:{word}/{other}.git", "precision@{n1}0 and recall@{n1}", "recorded @60fps @1080p",
    "an i7 @4.2GHz", "alone @home again", "stuck @work", "@everyone look", "@here the sunset",
    "@Override public void cry()", "@media screen", "just @ me next time", "the @ sign", "@ the beach",
    "@ 5", "https://i.redd.it/{n10}.jpg", "https://imgur.com/a/{n10}", "imgur.com/gallery/{n10}",
    "flickr.com/photos/tags/{word}", "https://i.imgur.com/{word}{n6}.png", "example.com/at/{word}",
    "see {word}.com/{other}", "mail in the evening", "server {n1}0.{n3}.{n1}.{two}",
    "192.168.{n1}.{n3} is down", "lat {two}.{n6}, lon -{two}.{n6}", "pi is 3.1415926535",
    "ISBN 978-3-16-148410-{n1}", "UPC 0 36000 2914{n1} 2", "zip 9{n4}-{n4}", "order #{n10}", "id {n6}{n6}",
    "unix time 14{n4}{n4}", "{n1},{n3},{n3} upvotes", "{n10}0 stars in the sky", "1{n3}000000000 dollars",
    "0.{n6}{n4}", "0x{n6}ab{n4}", "{n4} {n4} {n4} {n4}", "{n3}-{two}-{n4}", "tracking 1Z{n6}{n4}{n4}",
    "flight UA{n4} at {hour}:{two}", "bus {n3} {n3}", "text HOME to 741741", "call 911",
    "dial 1-800-FLOWERS", "day {n3} of {n4}", "{n4}x{n4} wallpaper", "{n3} x {n3} x {n3} mm",
    "5'{n1}\" and {n3} lbs", "{n3}bpm, {n1} km in {two}:{two}", "1 2 3 4 5 6 7 8 9 10",
    "10 9 8 7 6 5 4 3 2 1", "#{word}{n4} #{other}", "look at gmail.com", "he works at yahoo.com",
    "meet (at) home. ok", "at noon dot on time", "{word} at {other} dot", "email me", "my phone died",
    "u know", "U2 in {year}", "a {word} & a {other}", "Matthew {n1}:{two}-{two}", "v{n1}.{two}.{n4}.{n4}",
    "{n1}.{n1}.{n1}-beta.{two}", "model {n3}-{n4}", "season {n1} episode {two}", "{n3} 555 reasons",
    "${n10}", "\u20b9{n10}",
]  # fmt: skip

_FIRST = ["grey", "quiet", "lost", "happy", "tiny", "purple", "late", "soft"]
_LAST = ["otter", "teapot", "lantern", "walrus", "comet", "pickle", "harbour", "violin"]
_WORDS = ["aww", "happy", "creepy", "pics", "rage", "puppies", "sunset", "lodash", "react", "gardening"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line; what is planted in it is of one kind, or "" where nothing is."""

    text: str
    kind: str
    form: str  # its template
    secrets: tuple[str, ...] = ()  # what must not be left of it


def lines(seed: int = 0) -> tuple[list[Line], list[Line]]:
    """Return the 500 lines for choosing and the 500 for reporting: 200, 150 and 150 planted, 500 negative."""
    choosing, reporting = (
        [
            *_planted("usernames", half, 100, seed),
            *_planted("emails", half, 75, seed),
            *_planted("phones", half, 75, seed),
            *_negative(half, 250, seed),
        ]
        for half in (0, 1)
    )
    return choosing, reporting


def _planted(kind: str, half: int, number: int, seed: int) -> Iterator[Line]:
    chance = random.Random(f"{kind} {half} {seed}")
    forms = FORMS[kind][half::2]
    for n in range(number):
        values, form = _values(chance), forms[n % len(forms)]
        it = form.format(**values)
        keys = [key for key in _SECRETS[kind] if f"{{{key}}}" in form]
        yield Line(CARRIERS[n % 12].format(it=it), kind, form, tuple(values[key] for key in keys))


#: The values that tell who is meant.
_SECRETS = {
    "usernames": ("name", "Name", "NAME", "other", "dotted", "escaped", "digits", "digit_first", "short"),
    "emails": ("name", "NAME", "dotted"),
    "phones": ("us4", "gb3", "two"),
}


def _negative(half: int, number: int, seed: int) -> Iterator[Line]:
    chance = random.Random(f"negative {half} {seed}")
    forms = NEGATIVES[half::2]
    for n in range(number):
        form = forms[n % len(forms)]
        yield Line(form.format(**_values(chance)), "", form)


def _values(chance: random.Random) -> dict[str, str]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    word, other = chance.sample(_WORDS, 2)
    name = f"{first}_{last}{chance.randrange(10, 9999)}"
    digits = {f"n{n}": str(chance.randrange(10 ** (n - 1), 10**n)) for n in (1, 3, 4, 6, 10)}
    return digits | {
        "name": name,
        "Name": name.title(),
        "NAME": name.upper(),
        "other": other if chance.random() < 0.5 else f"{other}ish",
        "dotted": f"{first}.{last}",
        "escaped": name.replace("_", r"\_"),
        "digits": str(chance.randrange(10_000_000, 99_999_999)),
        "digit_first": f"{chance.randrange(3, 99)}{last}s",
        "short": chance.choice(["ko", "zz", "jx"]),
        "us3": chance.choice(["415", "212", "312", "617", "206"]),
        "us4": f"01{chance.randrange(100):02}",
        "gb3": f"{chance.randrange(100, 999)}",
        "two": f"{chance.randrange(10, 60)}",
        "word": word,
        "hour": str(chance.randrange(1, 12)),
        "year": str(chance.randrange(1950, 2026)),
        "month": f"{chance.randrange(1, 13):02}",
        "day": f"{chance.randrange(1, 29):02}",
    }
