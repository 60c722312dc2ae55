"""Raw tables to feature tables, for all past days.

``build`` runs it. Windowed tables follow from their declarations (``windows``); each other table has one function
frame → frame (``features``). ``closings`` and ``gone_rows`` take care of rows that are gone, ``versions`` of rows that
changed.
"""
