"""Generated checks of a project's definitions, and its examples, as ``refrain test`` runs them.

``generate`` makes hard events from the declared schema of a source. ``oracle`` is the definition of windowed features
as a plain loop. ``batch``, ``stream``, ``on_demand`` and ``services`` compare what the engines compute with it or with
each other, ``examples`` compares it with what a person expects, ``shrink`` makes the events of a failure few, and
``run`` does all of it in a temporary data folder.
"""
