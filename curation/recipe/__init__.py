"""The recipe of a dataset: the schema of recipe.toml."""
