"""A folder of masters, measured (``transforms.audio.quality``) and described (``transforms.audio.track``).

The track is the file's name without its ending.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from feature_repo.errors import InputError
from transforms.importers.format import Format, Rows
from transforms.raw import TABLES
from transforms.raw.ingest import Batch

FILES = 50
"""Files of one batch."""


def read(path: Path) -> Iterator[Batch]:
    """One file, or all sound files of a folder; what cannot be decoded is refused, with the reason.

    Raises:
        InputError: there is nothing at the path, or no sound file in it.
    """
    from transforms.audio.decode import SUFFIXES, decode, mono
    from transforms.audio.quality import measure
    from transforms.audio.stft import RATE
    from transforms.audio.track import analyze
    from transforms.features.track_audio import described

    AUDIO.check(path)
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise AUDIO.mismatch(f"no file {', '.join(SUFFIXES)} in {path}")
    rows, analyses = (Rows(name, dict(TABLES[name].columns)) for name in ("audio_measurements", "audio_analyses"))
    for number, file in enumerate(files, start=1):
        try:
            sound = decode(file)
            analysis = analyze(mono(file, RATE))
        except InputError as error:
            rows.refuse(f"no sound: {error.found}"[:200], str(file.relative_to(path) if path.is_dir() else file.name))
        else:
            told = {
                "track_id": file.stem,
                "content": hashlib.sha256(file.read_bytes()).hexdigest(),
                "sample_rate": sound.rate,
                "channels": sound.samples.shape[1],
                "event_timestamp": datetime.fromtimestamp(file.stat().st_mtime, UTC),
                "created_timestamp": None,
                **measure(sound.samples, sound.rate, sound.seconds),
            }
            told["created_timestamp"] = told["event_timestamp"]
            rows.rows.append(tuple(told[name] for name in rows.columns))
            told |= described(analysis)
            analyses.rows.append(tuple(told[name] for name in analyses.columns))
        if number % FILES == 0 or number == len(files):
            yield rows.flush(number, len(files))
            yield analyses.flush(number, len(files))


AUDIO = Format("audio", "a sound file (wav, flac, ogg, mp3, aiff) or a folder of them", read)
