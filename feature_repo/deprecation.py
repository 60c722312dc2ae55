"""Warnings about names that will be removed."""

import warnings


def warn_deprecated(name: str, *, instead: str, ends: str, stacklevel: int = 2) -> None:
    """Warns that a name will be removed. Call it where the name is used: in its function, or in ``__getattr__``.

    A test fails when the version that ``ends`` names is reached and the call is still there.

    Args:
        name: the deprecated name, as people write it.
        instead: what to use in its place.
        ends: first version of Refrain without the name, written out, such as ``"0.3.0"``.
        stacklevel: frames between this function and the user's code; 2 for a function that calls it directly.

    >>> import warnings
    >>> def pull(service: str) -> None:
    ...     warn_deprecated("refrain.pull", instead="refrain.training_set", ends="999.0.0")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     pull("churn_v1")
    >>> str(caught[0].message)
    'refrain.pull ends with Refrain 999.0.0; use refrain.training_set'
    """
    text = f"{name} ends with Refrain {ends}; use {instead}"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel + 1)
