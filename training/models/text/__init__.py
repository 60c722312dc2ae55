"""Models of texts, one per file.

``sentiment_model`` and ``emotion_model`` (fitted by ``linear_stack``, or by ``encoder`` of the extra ``deep``),
``text_embedder``, ``metadata_tagger``; and ``sequence_model``, fitted by the language model ``kneser_ney``.

They are fitted to raw texts and labels, and their outputs become features (decision 010). The tagger reads these
features.
"""
