"""Engines run a function over many items: the interface (`engine`) and one engine a file (`local`)."""
