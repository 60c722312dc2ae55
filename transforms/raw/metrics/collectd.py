"""Files of collectd's plugin csv: ``HOST/PLUGIN/TYPE-YYYY-MM-DD`` with the columns ``epoch`` and those of the type.

The entity is the host. The metric is ``plugin/type``, and ``plugin/type:column`` where the type has several columns.
"""

import re
from pathlib import PurePath

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.metrics.columns import read_table
from transforms.raw.metrics.format import Choice, MetricFormat, Readings, measure, moments

PLUGIN = re.compile(
    r"(?:aggregation|battery|bind|conntrack|contextswitch|cpu|cpufreq|df|disk|dns|entropy|ethstat|fscache|"
    r"hugepages|interface|ipmi|iptables|irq|java|load|md|memcached|memory|mysql|netlink|network|nfs|nginx|"
    r"ntpd|numa|openvpn|ping|postgresql|processes|protocols|redis|sensors|serial|smart|snmp|statsd|swap|"
    r"tail|tcpconns|thermal|turbostat|uptime|users|varnish|virt|vmem|wireless|zfs_arc|zookeeper)(?:-|$)"
)
"""Name of the folder of a plugin, with or without an instance."""

_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    table, rows = read_table(member, readings)
    time, *columns = table.columns
    host, name = _names(member)
    wide = rows.select(
        pl.lit(host).alias("entity"),
        moments(rows[time], readings, "row").alias("time"),
        *(pl.col(column).alias(f"{name}:{column}" if len(columns) > 1 else name) for column in columns),
    )
    cells = wide.unpivot(index=["entity", "time"], variable_name="metric", value_name="text")
    return measure(cells, readings)


def _names(member: Member) -> tuple[str, str]:
    """The host and the metric: the folders within the path that is read, or those of the disk."""
    kind = _DAY.sub("", PurePath(member.file_name).name)
    within = PurePath(member.name).parts
    folders = within[:-1] if len(within) > 2 else member.path.absolute().parts[:-1]
    if len(folders) > 1 and PLUGIN.match(folders[-1]):
        return folders[-2], f"{folders[-1]}/{kind}"
    return member.stem, kind


COLLECTD = MetricFormat("collectd's CSV", lambda head: head.first_line.startswith("epoch,"), _read)
"""One file of one type and day."""
