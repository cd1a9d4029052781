"""Engines run a function over many items: the interface (`engine`), one engine a file (`local`, `ray` with
`ray_process`), and the user's choice of one (`choice`)."""
