"""The sound files of a folder, and the tracks that they are."""

import unicodedata
from pathlib import Path

from transforms.pure.audio.decode import SUFFIXES
from transforms.raw.files.streams import readable_name


def track_ids(path: Path) -> dict[Path, str]:
    """Returns the sound files of a folder, or a file, with their track ids: paths in the folder without the suffix.

    An id depends on its file alone, so that it stays as it is when files are added. Of two files of one id, such as
    ``01.flac`` and ``01.mp3``, both are listed.

    Args:
        path: file or folder.

    Returns:
        File → track id, such as ``A/01`` for ``A/01.wav``; in the order of ids, then of ``SUFFIXES``.

    >>> track_ids(Path("masters/A/01.wav"))
    {PosixPath('masters/A/01.wav'): '01'}
    """
    is_folder = path.is_dir()
    files = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES] if is_folder else [path]
    tracks = {file: _track_id(file.relative_to(path) if is_folder else Path(file.name)) for file in files}

    def order(file: Path) -> tuple[str, int, Path]:
        suffix = file.suffix.lower()
        return tracks[file], SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES), file

    return {file: tracks[file] for file in sorted(files, key=order)}


def _track_id(name: Path) -> str:
    """The path without suffix; composed letters, as some file systems take them apart."""
    return unicodedata.normalize("NFC", readable_name(name.with_suffix("").as_posix()))
