"""Benchmarks: tables for people (`tables`), operators alone, the rows of a GPU (`gpu`)."""
