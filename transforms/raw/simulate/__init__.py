"""A seeded world of listening with known truth, in the raw tables' own shape.

``world`` draws who and what there is, ``plays`` lets them listen day by day. The same seed and sizes give the same
bytes. The truth (tastes, scenes, qualities) lies beside the raw tables, for tests to compare with; nothing reads it
to make features.
"""
