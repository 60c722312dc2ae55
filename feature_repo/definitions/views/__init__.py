"""Feast views of the tables that are not windowed. The views of windowed tables follow from their declarations."""
