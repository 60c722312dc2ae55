"""What serving wrote down, as tables: answers, exposures, impressions, lookups.

Serving processes append JSON lines, because they import no data frames; ``pack`` makes Parquet of what they wrote, and
every reader here takes both.
"""
