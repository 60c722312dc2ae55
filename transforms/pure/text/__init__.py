"""Text analysis in numpy alone: the same functions score stored texts in batch and a text in a request.

``clean`` → ``language`` → ``words`` → ``tfidf`` → ``linear`` (sentiment, emotion) and ``latent`` (vector, topics), with
``measures``, which need no model; ``analysis`` runs them all. Models are fitted in ``training.models.text``.
"""
