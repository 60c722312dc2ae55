"""Raw tables to feature tables, for all past days.

``build`` is the batch run. Windowed tables follow from their declarations (``windows``); each other table has one
function frame → frame (``features``). ``versions`` handles rows that changed, ``gone_rows`` and ``closings`` rows that
are gone.
"""
