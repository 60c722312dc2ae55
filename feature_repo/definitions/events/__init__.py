"""Kinds of events, one per module."""
