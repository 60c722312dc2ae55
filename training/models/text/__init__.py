"""Models of texts, one a file.

``sentiment_model`` and ``emotion_model`` (fitted by ``linear_stack``, or by ``encoder`` of the extra ``deep``),
``text_embedder``, ``metadata_tagger``; and a language model, ``kneser_ney``, with ``tag_lines`` written by it.

They are fitted to raw texts and their labels and make features (decision 010); the tagger eats these features.
"""
