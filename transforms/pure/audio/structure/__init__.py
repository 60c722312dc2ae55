"""The structure of a sound: tatums, beats, bars, segments (notes, chords, hits), sections (verse, refrain), and fades.

``frames.Frames`` are the numbers per frame that ``transforms.pure.audio.track.Analyzer`` keeps of its one STFT, about
18 MB an hour; everything here is computed from them. ``rhythm_grid``, ``segments``, ``sections`` (by ``partition``),
``fades`` and ``frame_loudness`` are an algorithm each, and ``describe`` puts them together. ``document``, ``jams`` and
``rows`` are the forms in which a structure is written.

``fingerprint`` recognizes a recording by its samples; ``fingerprint_text`` is its short form, and
``fingerprint_distance`` compares two.
"""
