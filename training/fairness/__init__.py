"""Fairness: how a model's figures differ between groups of people, and between groups of those whose work it shows.

A *division* splits the units of a test into groups, such as ``gender``. A ``Rate`` is a figure of one group; a ``Gap``
compares the rates of the groups of a division. Each lies in one file of ``training.fairness.metrics`` and is found by
itself. Every figure has a 95 % interval by bootstrap over clusters; of a group that is too small no figure is given.
"""
