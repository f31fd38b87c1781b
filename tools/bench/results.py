# SPDX-License-Identifier: GPL-2.0
"""The entries of the benchmarks' JSON, and their ratios with uncertainty."""
import random
import statistics
from collections import namedtuple

RESAMPLES = 2000

Ratio = namedtuple("Ratio", "value low high runs")


def runs(entry):
    """One figure for each run: the median of latencies, else the mean."""
    return entry.get("runs_p50") or entry["runs_ns_per_op"]


def means(entry):
    """The mean of each run, whatever the test."""
    return entry["runs_ns_per_op"]


def ratio(entry, base, figures=runs):
    """@entry / @base, run by run: runs of one number were close in time, and the machine may
    change its pace between them.  The median, and its bootstrap 95 % interval."""
    pairs = [a / b for a, b in zip(figures(entry), figures(base))]
    source = random.Random(len(pairs))      # the same interval for the same figures
    medians = sorted(statistics.median(source.choices(pairs, k=len(pairs)))
                     for _ in range(RESAMPLES))
    return Ratio(statistics.median(pairs), medians[RESAMPLES * 25 // 1000],
                 medians[RESAMPLES * 975 // 1000], len(pairs))


def inverse(r):
    return Ratio(1 / r.value, 1 / r.high, 1 / r.low, r.runs)


def interval(r):
    return f"{r.value:.2f} [{r.low:.2f}-{r.high:.2f}]"


def size_name(size):
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"


def time_name(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


class Results:
    """The measurements, found by their keys."""

    def __init__(self, entries):
        self.entries = entries

    def all(self, **keys):
        return [e for e in self.entries if all(e.get(k) == v for k, v in keys.items())]

    def find(self, **keys):
        found = self.all(**keys)
        return found[0] if found else None

    def impls(self, **keys):
        """The contenders that have such an entry, in the order of the file."""
        return list(dict.fromkeys(e["impl"] for e in self.all(**keys)))
