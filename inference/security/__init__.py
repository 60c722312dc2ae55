"""Access control: API keys, tokens of an identity provider, rate limits, quotas and an audit log.

``keys`` and ``tokens`` authenticate the ``Caller``, ``limits`` enforces rates and quotas, ``audit`` logs requests.
``inference.api.access`` applies them before it reads the body of a request.
"""
