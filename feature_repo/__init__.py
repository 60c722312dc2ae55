"""The feature contract: definitions of features, where they are stored, and which model uses them.

Entities, views and services are Feast objects (``definitions.py`` is the only module that Feast scans). The modules
that a serving process needs import no Feast: ``home``, ``errors``, ``manifest``, ``on_demand`` and the Redis parts of
``stores``.
"""
