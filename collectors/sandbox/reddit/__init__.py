"""Imitations of Reddit's API, the Arctic Shift archive and the image hosts that Reddit posts link to."""
