"""What a release's card and `croissant.json` say of its making: from the recipe and the ledger, nothing else.

The fields are those of Croissant's vocabulary for responsible AI (http://mlcommons.org/croissant/RAI/1.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affectory.core.numbers import count
from curation.manifest.attrition import told
from curation.manifest.manifest import Manifest

#: What no filter of this project looks for.
NOT_SCREENED = (
    "Nobody has looked at every post. Not screened, neither by hand nor by a program: hate and harassment, "
    "violent or sexual images (`over_18` is the source's own mark), faces and names of people, personal data "
    "in texts, medical or political content, illegal images, copyright, and whether a label is right."
)

_REMOVAL = (
    "Versions are never changed. `affectory purge` makes a new version without the posts that their "
    "source has deleted since, or whose authors opted out (`exclude.txt`), and can remove the earlier ones."
)

_PERSONAL = (
    "Posts are public posts of people and may show or name them, in images, titles and texts, and say "
    "something of their feelings. Authors' names are not in the data; `permalink` leads to the post."
)

_MASKED = {
    "usernames": "names of users (`u/[user]`, `@[user]`)",
    "emails": "e-mail addresses (`[email]`)",
    "phones": "phone numbers (`[phone]`)",
}

_USES = (
    "It is meant for training and comparing classifiers of its labels, and for studies of such sets. It "
    "isn't meant for judging single people: a label says what a community or an annotator made of a post, "
    "not what anyone felt."
)

_DUPLICATES = {
    "keep-all": "all are kept",
    "keep-best": "of the nearest ones the best-scored post is kept",
    "drop-conflicts": "the nearest ones with several labels are dropped",
}


@dataclass(frozen=True, slots=True)
class Datasheet:
    """How a release was collected, annotated and processed, and what to know before using it."""

    collection: str
    collection_types: Sequence[str]
    annotation: str
    annotations_per_item: str
    annotators: str
    preprocessing: Sequence[str]
    limitations: Sequence[str]
    biases: Sequence[str]
    personal: str
    uses: str = _USES
    maintenance: str = _REMOVAL


def datasheet(manifest: Manifest) -> Datasheet:
    """Return the datasheet of a release."""
    local = (manifest.recipe.get("source") or {}).get("local")
    voted = next(iter(manifest.filters("agreement")), None)
    return Datasheet(
        collection=_collection(manifest, local),
        collection_types=("User-generated content data", "Secondary Data analysis" if local else "Web API"),
        annotation=_annotation(manifest, local, voted),
        annotations_per_item=_per_item(local, voted),
        annotators=_annotators(manifest, local, voted),
        preprocessing=_preprocessing(manifest),
        limitations=_limitations(manifest),
        biases=_biases(manifest, local, voted),
        personal=_personal(manifest),
    )


def _collection(manifest: Manifest, local: dict[str, object] | None) -> str:
    if manifest.generated_note:
        return f"{manifest.generated_note}."
    if local:
        where = f"Read from published files ({', '.join(map(str, _listed(local.get('tables'))))})"
    else:
        where = f"Collected from {', '.join(_communities(manifest))} into a crawl store"
    dumps = f", in part from {len(manifest.dumps)} dump files" if manifest.dumps else ""
    return f"{where}{dumps}; {manifest.ledger.collected:,} {manifest.ledger.unit} in all."


def _communities(manifest: Manifest) -> list[str]:
    source = manifest.recipe.get("source") or {}
    return list(source.get("communities") or manifest.recipe.get("labels") or [manifest.name])


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _annotation(manifest: Manifest, local: dict[str, object] | None, voted: dict[str, object] | None) -> str:
    if local:
        columns = [repr(name) for name in (local.get("label"), *_listed(local.get("labels"))) if name]
        word = "column" if len(columns) == 1 else "columns"
        named = ", ".join(columns)
        return f"The labels are those of the published table ({word} {named}), as the recipe maps them."
    if voted:
        rule = "all annotators" if voted.get("rule") == "unanimous" else "a majority of the annotators"
        return f"Annotators chose one label each; a post has the label that {rule} chose."
    return (
        "No one annotated single posts: the label follows from the community or the search by which a post "
        "was found, as the recipe maps it."
    )


def _per_item(local: dict[str, object] | None, voted: dict[str, object] | None) -> str:
    if local:
        return "as in the published table"
    return f"{voted.get('min_votes', 1)} or more (columns `votes` and `agreement`)" if voted else "0"


def _annotators(manifest: Manifest, local: dict[str, object] | None, voted: dict[str, object] | None) -> str:
    if local or voted:
        return f"the annotators of {manifest.paper}" if manifest.paper else "the annotators of the source"
    return "the recipe's map from communities to labels"


def _preprocessing(manifest: Manifest) -> list[str]:
    text = manifest.recipe.get("text") or {}
    parts = " and ".join(text.get("parts") or ["title"])
    clean = text.get("clean", "none")
    found = [
        f"The text is the {parts}" + (f", cleaned as in {clean}." if clean != "none" else ", unchanged.")
    ]
    if manifest.ocr:
        read = "The text in images was read by RapidOCR (`ocr_text`, `ocr_confidence`)"
        fills = manifest.ocr.get("use") == "fill"
        found.append(read + ", and is the text of posts without any." * fills + "." * (not fills))
    images = manifest.recipe.get("images") or {}
    if images.get("which") != "none":
        which = "every image" if images.get("which") == "all" else "the first image"
        form = (
            f"as a JPEG of at most {images.get('side')} pixels"
            if images.get("format") == "jpeg"
            else "with the bytes as collected"
        )
        found.append(f"Of a post {which}, {form}.")
    for step in manifest.ledger.steps:
        dropped = count(step.rows, manifest.ledger.unit.removesuffix("s"))
        found.append(f"{step.stage}: {dropped} dropped ({step.reason}).")
    policy = (manifest.recipe.get("duplicates") or {}).get("policy", "keep-all")
    found.append(f"Near-duplicates are grouped (`duplicate_group`); {_DUPLICATES.get(policy, policy)}.")
    rule = (manifest.recipe.get("split") or {}).get("rule", "")
    leak = (
        "no group straddles the splits" if manifest.leakage == "group" else "groups may straddle the splits"
    )
    found.append(f"Splits by the rule {rule}; {leak}.")
    return found


def _personal(manifest: Manifest) -> str:
    if not manifest.mask:
        return _PERSONAL
    kinds = ", ".join(_MASKED[kind] for kind in manifest.mask)
    return f"{_PERSONAL} A program has masked in texts: {kinds}. It may have missed some."


def _limitations(manifest: Manifest) -> list[str]:
    ledger = manifest.ledger
    share = 100 * ledger.dropped / max(1, ledger.collected)
    found = [
        f"{ledger.dropped:,} of {ledger.collected:,} collected {ledger.unit} ({share:.1f}%) are not in it."
    ]
    if manifest.leakage != "group" and (pairs := manifest.twins.get("test", 0)):
        found.append(f"{count(pairs, 'test post has', 'test posts have')} a near-duplicate in training.")
    expected = sum(manifest.expected.values())
    if expected and expected != ledger.kept:
        found.append(f"The paper reports {expected:,} posts, this release has {ledger.kept:,}.")
    return [*found, *manifest.notes]


def _biases(
    manifest: Manifest, local: dict[str, object] | None, voted: dict[str, object] | None
) -> list[str]:
    sums = {
        label: sum(counts.get(label, 0) for counts in manifest.counts.values()) for label in manifest.classes
    }
    most, least = max(sums, key=lambda name: sums[name]), min(sums, key=lambda name: sums[name])
    found = [
        f"The largest class is {most} with {sums[most]:,} posts, the smallest {least} with {sums[least]:,}."
    ]
    if sums[most] == sums[least]:
        found = [f"Each class has {sums[most]:,} posts."]
    if not local and not voted:
        found.append("A label is a community's topic as well as its emotion: models can learn the topic.")
    if (manifest.recipe.get("split") or {}).get("rule") == "top-score":
        found.append("Test and validation posts have the highest scores of their class, training posts less.")
    if languages := [one.get("keep") for one in manifest.filters("language")]:
        kept = ", ".join(str(name) for name in _listed(languages[0]) or ["en"])
        found.append(f"Only texts identified as {kept} are kept.")
    return [*found, *told(manifest.attrition, manifest.classes, manifest.ledger.unit)]
