"""Windowed tables, one complete declaration per module.

The Feast view, the on-demand view of features that depend on the moment of the request, the batch run and the stream
are derived from these declarations. Imports no Feast.
"""
