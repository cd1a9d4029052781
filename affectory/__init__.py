"""Affectory: multimodal emotion datasets, from their sources to the field's baselines."""
