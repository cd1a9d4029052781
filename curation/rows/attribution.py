"""What must be said of a post wherever it is shown."""

from __future__ import annotations

from collectors.sites import SITES


def attribution(
    source: str, post_id: str, community: str, permalink: str | None, licence: str | None, address: str | None
) -> str:
    """Return the line that goes with a post.

    A site's own wording is in the table of sites. Flickr's has what the store holds of what Creative Commons
    ask for (title, author, source, licence): source and licence, each with its address. The source's page
    names author and title: the store has the author as a hash alone, and the title is text, which an `ids`
    release doesn't hold. Flickr's community guidelines ask for the link to that page.
    """
    own = post_id.partition(":")[2]
    site = SITES.get(source)
    if site is None or site.attribution is None:
        return f"{source} post {own}" + f" in {community}" * (community != source)
    terms = " ".join(filter(None, (licence, address and f"({address})"))) or "licence not known"
    return site.attribution.format(id=own, permalink=permalink, licence=terms)
