"""The command ``import`` with the options that formats declare, such as ``--user``."""

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from feature_repo.errors import InputError
from feature_repo.home import Home

if TYPE_CHECKING:
    from transforms.raw.importers.format import Format

_META = "refrain.format_options"


class ImportCommand(TyperCommand):
    """A command that also takes the options of every format of the project."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Takes the options of formats out of the arguments; see ``format_options``.

        Raises:
            InputError: an option lacks its value.
        """
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        for name, formats in _formats_by_option().items():
            is_flag = any(kind.is_flag(name) for kind in formats)
            parser.add_argument(f"--{name}", dest=name, action="store_true" if is_flag else "store", default=None)
        try:
            options, others = parser.parse_known_args(args)
        except argparse.ArgumentError as error:
            raise InputError(
                expected="an option with its value, such as --user NAME",
                found=str(error),
                next_command="refrain import --help",
            ) from error
        ctx.meta[_META] = {name: value for name, value in vars(options).items() if value is not None}
        return super().parse_args(ctx, others)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options of the command, then those of the formats."""
        super().format_options(ctx, formatter)
        rows = [
            (f"--{name}" if formats[0].is_flag(name) else f"--{name} TEXT", f"{_names(formats)}: {help_text}")
            for name, formats in _formats_by_option().items()
            for help_text in [formats[0].options[name]]
        ]
        if rows:
            with formatter.section("Options of formats"):
                formatter.write_dl(rows)


def format_options(ctx: Any) -> Mapping[str, Any]:
    """The options of formats that stand on the command line, by name."""
    options: Mapping[str, Any] = ctx.meta[_META]
    return options


def _formats_by_option() -> "dict[str, list[Format]]":
    if find_spec("polars") is None:  # the command itself says which extra is missing
        return {}
    from feature_repo.contract import contract_of
    from transforms.raw.importers.format import Format

    formats = contract_of(Home.from_env()).find(Format, "importers").values()
    names = sorted({name for kind in formats for name in kind.options})
    return {name: [kind for kind in formats if name in kind.options] for name in names}


def _names(formats: "list[Format]") -> str:
    return ", ".join(kind.name for kind in formats)
