"""The one kind of error that a user of Refrain is meant to read."""


class RefrainError(Exception):
    """Something a person can put right: what was expected, what was found, and the command to run next.

    Args:
        expected: what would have been right, in the user's words.
        found: what is there instead; names the file, row, column or key.
        next_command: the command that leads on, ready to paste.
    """

    def __init__(self, *, expected: str, found: str, next_command: str) -> None:
        self.expected, self.found, self.next_command = expected, found, next_command
        super().__init__(f"expected {expected}; found {found}; next: {next_command}")

    def __reduce__(self) -> tuple:
        fields = {"expected": self.expected, "found": self.found, "next_command": self.next_command}
        return _rebuild, (type(self), fields)


def _rebuild(kind: type[RefrainError], fields: dict[str, str]) -> RefrainError:
    return kind(**fields)


class HomeError(RefrainError):
    """The data folder cannot be used."""


class StoreError(RefrainError):
    """A store (registry, Redis, feature tables) is missing, broken or out of step with the definitions."""


class InputError(RefrainError):
    """A file, row, spine or request is not what it should be."""


class BundleError(RefrainError):
    """A model bundle is missing, damaged, or was trained on other features than those online."""


class OnlineUnavailable(StoreError):
    """The online store does not answer, or does not take what is written: gone, slow, full, read-only, loading.

    The same again may succeed; nothing needs a restart.
    """
