"""Errors for users, each with what was expected, what was found, and the next command."""


class RefrainError(Exception):
    """An error that a user can fix.

    Args:
        expected: the valid input or state, in the user's terms.
        found: the actual input or state, with the file, row, column or key.
        next_command: the command to run next, ready to paste.
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


class EncryptionError(StoreError):
    """An encrypted file or its key cannot be used: no key, the wrong one, one that was destroyed, a changed file."""


class InputError(RefrainError):
    """A file, row, spine or request is invalid."""


class ProjectError(InputError):
    """The file of the project cannot be read: for a server a state of its own, and no fault of a request."""


class ConsentError(RefrainError):
    """People have not consented to the purpose of a request."""


class AccessError(RefrainError):
    """The role of the caller does not permit a request."""


class BundleError(RefrainError):
    """A model bundle is missing, damaged, or was trained on features that differ from the online ones."""


class SignatureError(BundleError):
    """A model bundle, or the promotion of one, is not signed as the pinned keys ask for."""


class ManifestSignatureError(StoreError):
    """The compiled manifest is not signed as the pinned keys ask for."""


class NotPromoted(BundleError):
    """A model has no champion yet. Nothing is broken: ``refrain model promote`` makes one."""


class OnlineUnavailable(StoreError):
    """The online store does not answer or does not accept writes: down, slow, full, read-only or loading.

    A retry may succeed; no restart is needed.
    """
