"""The models that SemiMemes compares (arXiv 2304.00020, and the slides with other figures): one file each."""
