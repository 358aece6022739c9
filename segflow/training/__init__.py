"""Training of the networks: stages, their files and weights, progress, held-out scores."""
