"""Training, from inputs to checkpoints."""
