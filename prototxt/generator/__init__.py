"""Writes the bundled networks as prototxt text; one module a network."""
