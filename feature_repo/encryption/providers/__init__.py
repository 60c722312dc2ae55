"""Where key-encryption keys are: one module a scheme, each with a ``Provider``."""
