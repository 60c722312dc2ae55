"""What benchmarks find around them: the machine, and the folder of public data."""

import os
import platform
from pathlib import Path

from feature_repo.home import REPOSITORY

DATA = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MACHINE = f"{platform.machine()}, {CORES} cores, Python {platform.python_version()}"
