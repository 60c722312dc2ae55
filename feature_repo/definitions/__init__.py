"""The definitions of music: the bundled definition package, found by type (``feature_repo.contract``).

A folder has one kind of definition; ``views`` and ``entities`` import Feast, the others do not, because serving
processes import them.
"""
