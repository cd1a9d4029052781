"""A release: its files, its manifest and ledger, its versions and its card."""
