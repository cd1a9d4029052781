"""The models of Duong, Lebret, Aberer 2017, one a file."""
