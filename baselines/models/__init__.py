"""The models: a family a folder, a model a file, and the table of them all (`registry`)."""
