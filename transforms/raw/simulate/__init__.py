"""A seeded, simulated world of listening with known ground truth, as rows of the raw tables.

``world`` draws listeners, artists and tracks; ``plays`` simulates listening day by day. The same seed and sizes give
the same bytes. The ground truth (tastes, scenes, qualities) lies beside the raw tables for tests. No feature reads it.
"""
