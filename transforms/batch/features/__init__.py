"""How feature tables are computed: one pure function frame → frame per view, under the view's file stem.

Every function takes plays (or another raw table) and returns the rows of its view: join keys, ``event_timestamp``
(a midnight T in UTC; the row uses only events before T), ``created_timestamp`` and the features.
"""
