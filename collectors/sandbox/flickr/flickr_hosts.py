"""Flickr's hosts: its API and its files."""

from __future__ import annotations

from collectors.sandbox.flickr import flickr_api, flickr_files
from collectors.sandbox.state.faults import Place
from collectors.sandbox.state.state import Handler

#: The handler of each host, and the kind of its addresses, which decides the faults that apply.
HOSTS: dict[str, tuple[Handler, Place]] = {
    "api.flickr.com": (flickr_api.rest, "flickr"),
    "live.staticflickr.com": (flickr_files.files, "media"),
}
