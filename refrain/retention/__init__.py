"""Retention: rows that are older than their period go, and what was derived from them goes with them.

``periods.py`` (how long) → ``plan.py`` (what is older) → ``rows.py``, ``records.py``, ``derived.py`` (its removal), run
by ``run.py``.
"""
