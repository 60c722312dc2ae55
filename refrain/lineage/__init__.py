"""Lineage: from which raw columns a feature, a service, a model or an answer comes, and what comes from a raw column.

``graph.py`` is the graph; one file for each kind of source fills it: ``declared.py`` from the definitions of a project,
``recorded.py`` from what runs wrote down. Nothing is parsed: a test changes each raw column at random and compares the
features that change with the graph.
"""
