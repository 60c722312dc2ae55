"""Every format of an importer is named where people look for it."""

from feature_repo.contract import contract_of
from feature_repo.home import REPOSITORY, Home
from transforms.commands.imports import import_
from transforms.raw.importers.format import Format


def test_every_format_is_in_the_help_of_the_command_and_on_the_page(home: Home) -> None:
    formats = contract_of(home).find(Format, "importers")
    page = (REPOSITORY / "docs" / "formats.md").read_text()
    for name in formats:
        assert name in str(import_.__doc__), name
        assert f"refrain import {name}" in page, name
