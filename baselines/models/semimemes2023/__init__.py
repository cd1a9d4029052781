"""SemiMemes (Pham et al. 2023) and the models that it is compared with, one a file."""
