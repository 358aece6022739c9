"""Training samples: sources, mixtures of them, and making them ahead."""
