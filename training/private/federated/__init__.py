"""One model of the listeners of several data folders ("silos"), whose plays stay where they are.

Every silo counts its own listeners; what leaves it is a vector of 64-bit words under a mask, and a coordinator sees
only the sum of the vectors of all silos (``training.private.secure_aggregation``).

``agreement``: what is counted, and by which rules; everybody checks it. ``catalogue``: the items, in an order that all
have; ``union`` finds them without anybody showing its own. ``layout``: tables of integers as words.
``statistics``: what can be counted, one a file. ``procedures``: what a run does in which rounds, one a file.
``coordinator`` and ``silo`` are the two programs; ``rounds`` is what a killed one goes on from.
"""
