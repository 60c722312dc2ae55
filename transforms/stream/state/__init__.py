"""The state of the stream: windowed tables in memory, changed by each event and by the passing of time.

``events`` encodes events as columns of numbers. ``live_table`` counts them and says which rows are due. A table's
windows are sums that grow when events arrive and shrink when their hop leaves the window (``sums``; ``hop_tiles`` keeps
the sums of each hop). The texts of each key are kept separately (``values``, ``top_k``, ``newest``, ``oldest``). Each
part of the state handles a batch in one numpy pass, so the work per event is small where many arrive together.
"""
