"""Explains answers of a model of rows: by feature, by feature view and by row; with the lookup cost of each view."""
