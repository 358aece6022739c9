"""Measures: region similarity J, boundary accuracy F, end-point error and Fl."""
