"""Makes the import of Feast four times as fast: five seconds become a little more than one.

Half of its time goes to ``typeguard``, which recompiles every method of Feast's classes so that arguments are checked
at run time. A quarter goes to PyTorch, which Feast imports wherever it is installed and needs in ``to_tensor`` alone.
"""

import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any


class _BeforeFeast(MetaPathFinder):
    """Prepares the first import of Feast, which Python's own finders then find."""

    def __init__(self) -> None:
        self._is_done = False

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name == "feast" and not self._is_done:
            self._is_done = True  # not removed: Python is iterating over the list of finders
            with contextlib.suppress(ImportError):  # without Feast there is no typeguard; Feast's absence is the error
                _check_no_calls_of_feast()
            _import_torch_when_needed()


def _check_no_calls_of_feast() -> None:
    """Replaces the decorator of ``typeguard`` by one that leaves Feast's classes as they are."""
    typeguard: Any = importlib.import_module("typeguard")  # comes with Feast, and nothing else of Refrain needs it
    typechecked = typeguard.typechecked

    @functools.wraps(typechecked)
    def unless_of_feast(target: Any = None, **options: Any) -> Any:
        if getattr(target, "__module__", "").partition(".")[0] == "feast":
            return target
        return typechecked(target, **options)

    typeguard.typechecked = unless_of_feast


def _import_torch_when_needed() -> None:
    """Puts a module in the place of Feast's ``torch_wrapper`` that imports PyTorch in its only public function."""
    wrapper = ModuleType("feast.torch_wrapper", "PyTorch, imported when it is needed.")
    get_torch: Callable[[], ModuleType] = functools.partial(importlib.import_module, "torch")
    wrapper.get_torch = get_torch  # type: ignore[attr-defined]
    sys.modules[wrapper.__name__] = wrapper


def prepare() -> None:
    """Prepares the import of Feast, if it has not been imported yet. Importing ``feature_repo`` calls it.

    Example:
        >>> import feature_repo  # before Feast
        >>> import feast
    """
    if "feast" not in sys.modules:
        sys.meta_path.insert(0, _BeforeFeast())
