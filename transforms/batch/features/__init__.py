"""Computation of feature tables: one pure function frame → frame for each view, in a file named after the view.

Every function takes a raw table and returns the rows of its view: join keys, ``event_timestamp`` (a row stamped T uses
only events before T), ``created_timestamp`` and the features.
"""
