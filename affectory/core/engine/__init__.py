"""Engines run a function over many items: the interface (`engine`), one engine a file (`local`, `ray`), and
the user's choice of one (`choice`)."""
