"""Reddit's hosts, the archive's, and other hosts of images that its posts link to."""

from __future__ import annotations

from collectors.sandbox.reddit import archive_api, image_hosts, reddit_api
from collectors.sandbox.state.faults import Place
from collectors.sandbox.state.state import Handler

#: The handler of each host, and the kind of its addresses, which decides the faults that apply.
HOSTS: dict[str, tuple[Handler, Place]] = {
    "www.reddit.com": (reddit_api.www, "api"),
    "oauth.reddit.com": (reddit_api.oauth, "api"),
    "arctic-shift.photon-reddit.com": (archive_api.archive, "archive"),
    "i.redd.it": (image_hosts.originals, "media"),
    "preview.redd.it": (image_hosts.previews, "media"),
    "external-preview.redd.it": (image_hosts.external_previews, "media"),
    "v.redd.it": (image_hosts.videos, "media"),
    "daily-feed.example": (image_hosts.elsewhere, "media"),
    "bench.example": (image_hosts.bench, "media"),
}
