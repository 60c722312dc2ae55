"""What it costs to verify a bundle when it is opened: pinned keys beside none, and each part of the work.

Bundles of random bytes, of 1, 10 and 100 MB in 12 files, are opened as serving does. Both ways take turns in one
process, and the median of the seconds of processor time is shown. Without pinned keys the files' digests are checked as
well, so that what a signature adds is the difference.

Judged on: random bytes; nothing is learned.

    python -m benchmarks.signatures [--quick]
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.surroundings import MACHINE
from feature_repo.bundle import MANIFEST, open_bundle
from feature_repo.home import Home
from feature_repo.signing.bundles import read_signed, sign_bundle
from feature_repo.signing.private_key import write_private_key
from feature_repo.signing.public_keys import public_key_of

FILES, REPEATS = 12, 15


def write_bundle(home: Home, megabytes: float) -> Path:
    """Writes a bundle of random bytes."""
    folder = home.bundles("random") / "1"
    folder.mkdir(parents=True, exist_ok=True)
    rng, digests = np.random.default_rng(0), {}
    for number in range(FILES):
        content = rng.bytes(int(megabytes * 1e6 / FILES))
        (folder / f"part{number}.bin").write_bytes(content)
        digests[f"part{number}.bin"] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"name": "random", "version": 1, "files": digests}))
    return folder


def milliseconds(*runs: Callable[[], object]) -> list[float]:
    """Median milliseconds of processor time of some functions, in turns."""
    times: list[list[float]] = [[] for _ in runs]
    for repeat in range(REPEATS + 1):
        for place, run in enumerate(runs):
            started = time.process_time()
            run()
            if repeat:
                times[place].append((time.process_time() - started) * 1e3)
    return [round(median(each), 3) for each in times]


def main() -> None:
    """Measures, and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small bundles only")
    sizes = (1.0,) if parser.parse_args().quick else (1.0, 10.0, 100.0)
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CONFIG_HOME"] = scratch
        os.environ["REFRAIN_SIGNING_KEY"] = f"{scratch}/key.pem"
        public_key = public_key_of(write_private_key(Path(scratch) / "key.pem"))
        for megabytes in sizes:
            home = Home(Path(scratch) / f"home{megabytes:g}").ensure()
            folder = write_bundle(home, megabytes)
            sign_bundle(folder, home, "random", 1)

            def unpinned(home: Home = home) -> object:
                os.environ.pop("REFRAIN_TRUSTED_KEYS", None)
                return open_bundle("random:1", home)

            def pinned(home: Home = home) -> object:
                os.environ["REFRAIN_TRUSTED_KEYS"] = public_key
                return open_bundle("random:1", home)

            def manifest_alone(home: Home = home, folder: Path = folder) -> object:
                os.environ["REFRAIN_TRUSTED_KEYS"] = public_key
                return read_signed(folder, MANIFEST, home, "random", "1")

            without, with_keys, manifest = milliseconds(unpinned, pinned, manifest_alone)
            results[f"{megabytes:g} MB"] = {
                "open_ms": without,
                "open_pinned_ms": with_keys,
                "manifest_pinned_ms": manifest,
            }
    print(json.dumps({"name": "signatures", "machine": MACHINE, **results}))


if __name__ == "__main__":
    main()
