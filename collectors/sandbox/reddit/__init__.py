"""Stand-ins for Reddit's API, the Arctic Shift archive and the image hosts that Reddit posts link to."""
