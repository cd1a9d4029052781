"""From a release to batches."""
