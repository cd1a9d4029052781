"""The manifest of a release: its files, counts and ledger, as `manifest.json` holds them."""
