"""A structure as JAMS, the format of annotations that mir_eval, mirdata and Sonic Visualiser's users exchange.

E. Humphrey et al., JAMS: a JSON annotated music specification for reproducible MIR research (ISMIR 2014), version 0.3:
namespaces ``beat`` (with the place in the bar), ``onset``, ``segment_open``, ``tempo`` and ``key_mode``.
"""

from typing import Any

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.structure.describe import VERSION, Structure
from transforms.pure.audio.structure.document import document

_VERSION = "0.3.5"


def jams(structure: Structure, title: str = "") -> dict[str, Any]:
    """Return the JAMS document of a structure, of plain values.

    Args:
        structure: structure of a sound.
        title: name of the sound.

    >>> from transforms.pure.audio.track import analyze
    >>> from transforms.pure.audio.structure.describe import structure
    >>> import numpy as np
    >>> silence = analyze([np.zeros(22_050, np.float32)])
    >>> [part["namespace"] for part in jams(structure(silence.frames, silence.beats))["annotations"]]
    ['beat', 'onset', 'segment_open', 'tempo', 'key_mode']
    """
    values = document(structure)
    seconds, sections = values["track"]["duration"], values["sections"]
    places = structure.beats.places.tolist()
    names = ("major", "minor")
    observations = {
        "beat": [
            _observation(beat["start"], 0.0, places[number], beat["confidence"])
            for number, beat in enumerate(values["beats"])
        ],
        "onset": [_observation(part["start"], 0.0, None, part["confidence"]) for part in values["segments"]],
        "segment_open": [
            _observation(part["start"], part["duration"], f"section {number}", part["confidence"])
            for number, part in enumerate(sections, start=1)
        ],
        "tempo": [
            _observation(part["start"], part["duration"], part["tempo"], part["tempo_confidence"])
            for part in sections
            if part["tempo"]
        ],
        "key_mode": [
            _observation(
                part["start"],
                part["duration"],
                f"{CLASSES[part['key']]}:{names[1 - part['mode']]}" if part["key"] >= 0 else "N",
                part["key_confidence"],
            )
            for part in sections
        ],
    }
    return {
        "annotations": [_annotation(namespace, data, seconds) for namespace, data in observations.items()],
        "file_metadata": {
            "title": title,
            "artist": "",
            "release": "",
            "duration": seconds,
            "identifiers": {},
            "jams_version": _VERSION,
        },
        "sandbox": {},
    }


def _observation(time: float, duration: float, value: Any, confidence: float) -> dict[str, Any]:
    return {"time": time, "duration": duration, "value": value, "confidence": confidence}


def _annotation(namespace: str, data: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    return {
        "annotation_metadata": {
            "curator": {"name": "", "email": ""},
            "annotator": {},
            "version": VERSION,
            "corpus": "",
            "annotation_tools": f"refrain structure {VERSION}",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program",
        },
        "namespace": namespace,
        "data": data,
        "sandbox": {},
        "time": 0.0,
        "duration": seconds,
    }
