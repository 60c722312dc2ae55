"""What the stream keeps of the events so far: windowed tables in memory, changed by each event and by time.

``events`` makes numbers of what is told, ``live_table`` counts it and says which rows are due. A table's windows are
sums that grow when events come and shrink when their hop leaves (``sums``, kept apart in ``hop_tiles``); beside them
stand the texts of each key (``values``, ``top_k``, ``newest``, ``oldest``). One pass of numpy a batch and a part of
the state, so that the work of one event is small where many come at once.
"""
