"""The attribution of a post, to be shown with it, and its link without its title."""

from __future__ import annotations

import re

from collectors.sites import SITES

_TITLED = re.compile(r"(reddit\.com/)(?:(?:r|u|user)/[\w-]+/)?(comments/\w+/).*")


def attribution(
    source: str, post_id: str, community: str, permalink: str | None, licence: str | None, address: str | None
) -> str:
    """Return the line of attribution of a post.

    The wording for a site is in the table of sites. Creative Commons ask for title, author, source and
    licence. Flickr's line has source and licence, each with its address. Author and title are on the photo's
    page: the store has only a hash of the author, and the title is text, which an `ids` release doesn't
    contain. Flickr's community guidelines ask for the link to that page.
    """
    own = post_id.partition(":")[2]
    site = SITES.get(source)
    if site is None or site.attribution is None:
        return f"{source} post {own}" + f" in {community}" * (community != source)
    terms = " ".join(filter(None, (licence, address and f"({address})"))) or "licence not known"
    return site.attribution.format(id=own, permalink=permalink, licence=terms)


def without_title(link: str | None) -> str | None:
    """Return a link without the title of the post, as in Reddit's …/comments/1abcd/what_the_title_says/."""
    return link and _TITLED.sub(lambda found: found[1] + found[2], link)
