"""Scores of vectors that only the asking client can read: dot products over CKKS.

- Takes: a client's context (parameters, public key, keys of rotations) once, then encrypted vectors.
- Returns: encrypted scores of tracks, or of one linear model, with the norm by which they are multiplied.
- Promises: bytes of clients are read and evaluated in a worker process; a fault is a typed error; no key by which
  anything can be decrypted is ever read.

``model_matrix`` has the numbers of a model, ``contexts`` keeps contexts on disk, ``evaluation`` is the work itself.
"""
