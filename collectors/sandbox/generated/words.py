"""The titles of the sandbox's posts: templates and the words that fill them.

Each cue has its own words. The words of "vile" fit anger and disgust alike ("this is sick"), those of
"neutral" no emotion. Names in braces are keys of `SLOTS`.
"""

from __future__ import annotations

import random
import re

#: name: words. A long list continues on the next line, indented.
_SLOT_WORDS = """
who: my dog|my cat|my brother|my grandma|my neighbor|this guy|my boss|my roommate|a stranger|
  my little sister|the lady next door|my dad|my coworker|some kid|my mom|my uncle|an old friend|
  my girlfriend|my husband|a customer|the new guy|my cousin|our landlord|my best friend
where: at work|near my house|on the train|in the parking lot|at school|in my backyard|on my way home|
  at the store|downtown|in the attic|at the gym|in the woods|at the beach|on the bus|behind the garage|
  at my parents' place|in Chicago|in rural Japan|on campus|under the bridge
when: today|this morning|last night|yesterday|a few days ago|on my birthday|last weekend|in 2011|
  ten years ago|after work|this summer|on Christmas Eve|a month ago|at 3am|before school
thing: this photo|an old box|a letter|this drawing|a note|this car|a tattoo|a mask|this house|a cake|
  this sign|an old bike|a poster|this painting|an old tape|a postcard|this jacket|a lamp
lead: So|Well|Reddit,|TIL|Update:|Guys,|Apparently|Just now:|FYI|Look:|Finally,|OK so
n: 2|3|4|5|6|8|10|12|15|18|20|25|30|40|50|75|100
glad: happy|grateful|proud|lucky|wonderful|beautiful|lovely|cheerful|delighted|blessed|adorable|sweet|
  amazing|thankful|overjoyed
treat: smile|hug|wedding|graduation|birthday|anniversary|kitten|rescue puppy|new home|sunrise|first job|
  reunion|baby shower|recovery|best day ever|surprise party
eerie: creepy|haunted|terrifying|eerie|unsettling|scary|spooky|sinister|chilling|nightmarish|disturbing|
  ominous|spine-chilling
spook: ghost|doll|shadow|abandoned asylum|graveyard|nightmare|basement|figure|face in the window|mannequin|
  clown|crawlspace|scarecrow|tunnel|empty hospital|ritual
mad: furious|infuriating|unfair|selfish|entitled|outrageous|shameless|arrogant|cruel|enraging|unbelievable|
  rude|ignorant
wrong: thief|vandal|bully|scam|parking job|fake charity|cheater|liar|hit and run|double standard|
  stolen package|road rage|rip-off|hypocrite|police report|broken window
foul: gross|nasty|infected|rotten|swollen|moldy|bloody|oozing|festering|crusty|slimy|mangled
wound: wound|stitches|blister|toe|mold|burn|scar|surgery|spider bite|broken finger|autopsy|abscess|
  compound fracture|dog bite|toenail|dislocated knee|maggots
ill: disgusting|sick|awful|vile|sickening|revolting|horrible|appalling|despicable|repulsive
"""

SLOTS: dict[str, list[str]] = {
    name: words.split("|")
    for name, words in (
        line.split(": ", 1) for line in _SLOT_WORDS.replace("|\n  ", "|").strip().splitlines()
    )
}
#: The ends of titles; most have none.
SLOTS["tail"] = [""] * 8 + [" [OC]", " (x-post from r/pics)", " (more in comments)", " [xpost]", " :)"]
SLOTS["tail"] += ["...", "!", ".", "?!"]

LONG: dict[str, list[str]] = {
    "joy": [
        "{who} got a {treat} {when} and I couldn't be more {glad}{tail}",
        "{glad} surprise: {who} made me {thing} {when}{tail}",
        "After {n} years we finally had our {treat} {where}, feeling {glad}{tail}",
        "{lead} {who} gave me a {treat} {where} and it made my day{tail}",
        "Nothing better than a {glad} {treat} {where} {when}{tail}",
        "{n} months sober and {glad}, here is {thing} {who} gave me{tail}",
        "{lead} meet {who}, the most {glad} {treat} I know {where}{tail}",
    ],
    "fear": [
        "{who} found {thing} {where} and it is really {eerie}{tail}",
        "A {eerie} {spook} I saw {where} {when}{tail}",
        "{lead} {who} swears there is a {spook} {where}, look at {thing}{tail}",
        "I took {thing} {when} and noticed a {spook} behind {who}{tail}",
        "This {eerie} {spook} stood {where} for {n} years{tail}",
        "{lead} we heard a {spook} {where} {when}, I can't sleep now{tail}",
        "The {spook} {where}, so {eerie} that {who} ran away{tail}",
    ],
    "anger": [
        "{who} is a {mad} {wrong} and nobody {where} cares{tail}",
        "{lead} some {mad} person left {thing} {where} after a {wrong}{tail}",
        "A {wrong} {where} cost {who} {n} dollars, how {mad}{tail}",
        "{lead} this {mad} {wrong} happened to {who} {when}{tail}",
        "The {wrong} {where} {when} was {mad}, {n} people just watched{tail}",
        "They fined {who} {n} dollars for {thing} while the {wrong} walks free{tail}",
        "Why is a {mad} {wrong} still allowed {where}{tail}",
    ],
    "disgust": [
        "{who} got a {foul} {wound} {where} {when}{tail}",
        "{lead} {n} days later my {wound} looks {foul}{tail}",
        "The {foul} {wound} {who} hid for {n} weeks{tail}",
        "Doctor removed {thing} from a {foul} {wound} {when}{tail}",
        "{lead} this {wound} {where} turned {foul} after {n} hours{tail}",
        "Found a {foul} {wound} {where}, {who} nearly threw up{tail}",
        "My {wound} {when}, {n} days after {who} dropped {thing} on it{tail}",
    ],
    "vile": [
        "{lead} what {who} did {where} is just {ill}{tail}",
        "This is {ill}, {who} left it {where} for {n} days{tail}",
        "How {ill} do you have to be to do this to {who} {where}{tail}",
        "Absolutely {ill}, found {where} {when} by {who}{tail}",
        "{lead} I can't look at {thing} without feeling it is {ill}{tail}",
        "{who} sent me {thing} {when} and it is {ill}, I have no words{tail}",
    ],
    "neutral": [
        "{lead} {who} sent me {thing} {when}, thought you might like it{tail}",
        "{who} found {thing} {where} {when}{tail}",
        "{thing} from {where}, taken {when} with {n} others{tail}",
        "{lead} here is {thing} I mentioned {when}{tail}",
        "I saw {thing} {where} and thought of you{tail}",
    ],
}

SHORT: dict[str, list[str]] = {
    "joy": ["So {glad} {when}", "My {glad} {treat}{tail}", "{n} years, still {glad}", "Best {treat} ever"],
    "fear": ["{eerie} {spook}{tail}", "The {spook} {where}", "{n} {eerie} photos", "A {spook}, {when}"],
    "anger": ["This {mad} {wrong}{tail}", "{mad} {wrong} {where}", "{n} times! {mad}!", "Another {wrong}"],
    "disgust": ["My {foul} {wound}{tail}", "{wound}, {n} days later", "{foul} {wound}", "So {foul} {when}"],
    "vile": ["Just {ill}{tail}", "{ill}, {when}", "{who} is {ill}", "How {ill}, {n} times"],
    "neutral": ["{thing}{tail}", "{who}, {when}", "Found {where}", "Number {n}{tail}", "{who} {where}"],
}

#: Titles in other languages, which a language filter removes.
FOREIGN: dict[str, list[str]] = {
    "joy": [
        "Hoy estoy muy feliz con mi familia, gracias por todo",
        "Heute bin ich so glücklich wie nie zuvor",
    ],
    "fear": ["Esta casa abandonada me da mucho miedo", "La poupée effrayante dans le grenier de ma tante"],
    "anger": ["Mi vecino me robó otra vez, qué rabia", "Der Typ hat einfach meinen Parkplatz gestohlen"],
    "disgust": [
        "Minha ferida infectada depois de dois dias",
        "Une plaie dégoûtante après trois jours",
    ],
    "vile": ["Qué asco me da esta gente de verdad", "Das ist einfach nur widerlich und ekelhaft"],
    "neutral": ["Una foto que saqué ayer en el centro", "今日の写真です", "Vecchia foto trovata in soffitta"],
}

BODY = [
    "I wrote this down {when}, {where}, because {who} asked me to.",
    "It began {when}. {who} called, and I was {where}.",
    "Some background: {who} & I have known each other for {n} years.",
    "Thanks for reading. I'll post an update if <anything> changes.",
]

_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


def fill(template: str, rng: random.Random) -> str:
    """Return a template with a random word in each slot, the first letter in upper case."""
    text = _SLOT.sub(lambda slot: rng.choice(SLOTS[slot[1]]), template)
    text = _ARTICLE.sub(r"\1n ", text)
    return text[:1].upper() + text[1:]


def title(cue: str, rng: random.Random) -> str:
    """Return a title for a cue; about a quarter have five words or fewer."""
    if rng.random() < 0.015:
        return rng.choice(FOREIGN[cue])
    # Some of the short templates exceed five words when filled: .27 gives the 24% of the real index.
    text = fill(rng.choice((SHORT if rng.random() < 0.27 else LONG)[cue]), rng)
    return text.upper() if rng.random() < 0.01 else text


def body(rng: random.Random) -> str:
    """Return the text of a self post."""
    return "\n\n".join(fill(line, rng) for line in rng.sample(BODY, k=rng.randint(1, 3)))


_NAMES = """
Quiet Brave Lazy Mister Captain Salty Purple Frozen Tiny Sir Doctor Rusty Cosmic Sleepy
Otter Teapot Falcon Biscuit Pickle Wizard Cactus Penguin Robot Walnut Badger Comet Noodle
"""
_NICE, _NOUN = (line.split() for line in _NAMES.strip().splitlines())


def author_name(rng: random.Random) -> str:
    """Return a user name, as in "salty_Walnut_204"."""
    return rng.choice(("", "_", "-")).join(
        (rng.choice(_NICE), rng.choice(_NOUN), str(rng.randrange(1, 1000)))
    )
