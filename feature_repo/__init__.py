"""The contract: what a feature is, where it lives, and which model eats it.

Entities, views and services are Feast objects (``definitions.py`` is the one module that Feast scans). What a
serving process needs of the contract imports no Feast: ``home``, ``errors``, ``manifest``, ``on_demand`` and the
Redis parts of ``stores``.
"""
