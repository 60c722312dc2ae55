"""The rounds that a silo joined, on disk: a name is joined once, also by two processes and after a restart."""

import hashlib
import os
from pathlib import Path

from feature_repo.errors import HomeError
from feature_repo.home import Home
from training.private.secure_aggregation.errors import RoundRefused


class RoundMemory:
    """The names of all rounds that a silo joined.

    Two rounds of one name would show the difference of two summands, if their masks were the same; they never are, and
    a coordinator that replays a round to have it unmasked for other survivors gets no second answer.

    Args:
        home: the silo's data folder.
        silo: name of the silo.
    """

    def __init__(self, home: Home, silo: str) -> None:
        self._folder: Path = home.joined_rounds / silo

    def check_new(self, round_name: str) -> None:
        """Checks that a round was never joined.

        Raises:
            RoundRefused: it was.
        """
        if self._file(round_name).exists():
            raise self._known(round_name)

    def join(self, round_name: str) -> None:
        """Remembers a round before anything of it is sent.

        Raises:
            RoundRefused: it was joined before.
            HomeError: it cannot be remembered.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._file(round_name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(round_name.encode())
                stream.flush()
                os.fsync(stream.fileno())
            self._sync_folder()
        except FileExistsError:
            raise self._known(round_name) from None
        except OSError as error:
            raise HomeError(
                expected=f"a folder that can be written, to remember rounds that were joined: {self._folder}",
                found=error.strerror or str(error),
                next_command="refrain doctor  (checks the data folder)",
            ) from error

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _file(self, round_name: str) -> Path:
        return self._folder / hashlib.sha256(round_name.encode()).hexdigest()

    def _known(self, round_name: str) -> RoundRefused:
        return RoundRefused.because(
            "a round that this silo never joined", f"{round_name[:140]}, which it joined before"
        )
