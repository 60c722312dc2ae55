"""One package with definitions: imports its modules, and explains an import that fails."""

import traceback
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from feature_repo import discovery
from feature_repo.errors import InputError, RefrainError
from feature_repo.extras import MissingExtra, missing_extra

_LONGEST = 300
"""Maximum number of characters of a quoted error."""


@dataclass(frozen=True)
class DefinitionPackage:
    """A package, or a single module, with definitions.

    Attributes:
        name: dotted name.
        folder: folder of the project that names it; None for a package of an installed distribution.
        reason: why it is imported, for messages.
        distribution: name of the installed distribution that offers it; empty for a package of a project.
    """

    name: str
    folder: Path | None
    reason: str
    distribution: str = ""

    def modules(self, *, without: Collection[str]) -> list[ModuleType]:
        """Imports its modules.

        Args:
            without: names of direct submodules that are not imported.

        Raises:
            InputError: a module cannot be imported, or something else has the name of the package.
            RefrainError: a definition is invalid; the error names the file and the line.
            MissingExtra: a module imports what an extra brings that is not installed.
        """
        self._check_origin()
        try:
            return list(discovery.modules(self.name, without=without))
        except MissingExtra:
            raise
        except RefrainError as error:
            raise self._with_place(error) from error
        except (Exception, SystemExit) as error:
            missing = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
            raise missing or self._import_error(error) from error

    def _check_origin(self) -> None:
        """Checks that a package in the project's folder would not be shadowed by another one of its name."""
        if self.folder is None:
            return
        top = self.name.partition(".")[0]
        own = next((path for path in (self.folder / top, self.folder / f"{top}.py") if path.exists()), None)
        if not top or own is None:
            return
        try:
            spec = find_spec(top)
        except ValueError:  # a module without a specification, such as __main__
            spec = None
        places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])] if spec else []
        folder = self.folder.resolve()
        if spec is None or any(Path(place).resolve().is_relative_to(folder) for place in places):
            return
        raise InputError(
            expected=f"a name for the package {own} that nothing else has",
            found=f"{top} is also {places[-1] if places else 'a module of Python'}",
            next_command=f"rename it, also in {self.folder / 'refrain.toml'}",
        )

    def _place(self, error: BaseException) -> str | None:
        """Returns file and line of the last call in the package's own files; None if there is none."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}, line {error.lineno}"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self._is_own(frame.filename)]
        return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else None

    def _is_own(self, filename: str) -> bool:
        path = Path(filename)
        if self.folder is not None:
            parts = path.relative_to(self.folder).parts if path.is_relative_to(self.folder) else ()
            return bool(parts) and "site-packages" not in parts
        return self.name.partition(".")[0] in (*path.parts[:-1], path.stem)

    def _with_place(self, error: RefrainError) -> RefrainError:
        place = self._place(error)
        if place is None:
            return error
        return type(error)(expected=error.expected, found=f"{error.found}, in {place}", next_command=error.next_command)

    def _import_error(self, error: BaseException) -> InputError:
        place = self._place(error)
        message = (str(error).splitlines() or [""])[0][:_LONGEST]
        if place is not None:
            remedy = f"correct {place.rpartition(', line')[0]}, then repeat the command"
        elif self.distribution:
            remedy = f"python -m pip install --force-reinstall {self.distribution}, or uninstall it"
        else:
            remedy = f"correct {self.folder}/refrain.toml, or install {self.name}"
        return InputError(
            expected=f"a package {self.name} that can be imported, {self.reason}",
            found=f"{place or 'no such package'}: {type(error).__name__}: {message}",
            next_command=remedy,
        )
