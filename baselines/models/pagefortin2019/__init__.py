"""The models of Pagé Fortin and Chaib-draa 2019, one a file."""
