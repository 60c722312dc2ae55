"""A folder that is a project already: it is changed only if it has what a proposal names."""

from pathlib import Path

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.project import FILE, Project
from refrain.scaffold.proposal import Proposal


def check_existing(folder: Path, proposal: Proposal, command: str) -> None:
    """Checks that the project of a folder, if it is one, has the events and the model of a proposal.

    Its files are kept, so that a proposal of other events would lead to commands that cannot work.

    Args:
        folder: where the project is to be.
        proposal: what is to be written there.
        command: the command that makes the same project in a folder of its own.

    Raises:
        InputError: the project has other events or models, or its definitions cannot be read.
    """
    if not (folder / FILE).exists():
        return
    from training.models.base import Model

    contract = Contract(Project.load(folder))
    kinds, models = sorted(contract.events), sorted(contract.find(Model, "models"))  # type: ignore[type-abstract]
    if proposal.events not in kinds:
        absent, there = f"the events {proposal.events}", f"the events {', '.join(kinds)}" if kinds else "no events"
    elif proposal.model and proposal.model not in models:
        absent = f"the model {proposal.model}"
        there = f"the models {', '.join(models)}" if models else "no models"
    else:
        return
    raise InputError(
        expected=f"a new folder, or a project with {absent}",
        found=f"the project {contract.project.name} in {folder}, which has {there}; nothing was changed",
        next_command=f"{command}  (or add {absent} to {folder / FILE} and its modules yourself)",
    )
