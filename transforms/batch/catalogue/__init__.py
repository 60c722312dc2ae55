"""One recording under many spellings.

``spelling`` parses a title and its performers, ``match`` scores the similarity of two spellings, and ``links`` finds
the tracks of a catalogue that are the same recording.
"""
