"""The serving processes and the disk of the data folder as Prometheus metrics."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from prometheus_client import multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from feature_repo.home import Home


class ServingProcesses:
    """Memory, processor time and open files of every serving process, by ``pid``, under Prometheus' usual names.

    ``process_resident_memory_bytes``, ``process_virtual_memory_bytes``, ``process_cpu_seconds_total``,
    ``process_open_fds``, ``process_max_fds``, ``process_start_time_seconds``. Linux only; nothing elsewhere.

    Args:
        folder: the folder in which several processes count; None for this process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield one sample of each metric for each process that runs."""
        pids = [os.getpid()] if self._folder is None else sorted(pid for pid in _pids(self._folder) if _runs(pid))
        by_name: dict[str, Metric] = {}
        for pid in pids:
            for one in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = by_name.setdefault(one.name, Metric(one.name, one.documentation, one.type))
                for sample in one.samples:
                    family.add_sample(sample.name, {"pid": str(pid)}, sample.value)
        yield from by_name.values()


class DiskCollector:
    """``refrain_disk_free_bytes`` and ``refrain_disk_size_bytes`` of the disk with the data folder."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def collect(self) -> Iterator[Metric]:
        """Yield both metrics; none if the folder is gone."""
        try:
            disk = shutil.disk_usage(self._home.root)
        except OSError:
            return
        yield GaugeMetricFamily("refrain_disk_free_bytes", "Free bytes for the data folder", value=disk.free)
        yield GaugeMetricFamily("refrain_disk_size_bytes", "Size of the disk of the data folder", value=disk.total)


def forget_ended_processes(folder: Path) -> None:
    """Remove the gauges of processes that ended, so that they do not count any more; their counters stay.

    Args:
        folder: the folder in which several processes count.
    """
    for pid in _pids(folder):
        if not _runs(pid):
            multiprocess.mark_process_dead(pid, str(folder))


def _pids(folder: Path) -> set[int]:
    names = (file.stem.rpartition("_")[2] for file in folder.glob("*.db"))
    return {int(pid) for pid in names if pid.isdigit()}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the number belongs to another user's process by now
        return False
    return True
