"""The commands that use several rooms, one a file; each has a `main` that `affectory.cli` calls."""
