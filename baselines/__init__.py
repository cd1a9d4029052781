"""Train and score the field's fusion baselines on a release."""
