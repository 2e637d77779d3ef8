"""Completion indexes as intervals, and the text a Job's status keeps them in.

In: "0-2,5", numbers, pods. Out: sorted intervals that neither touch nor overlap, so that a Job
of a hundred thousand completions costs what its gaps cost. Two neighbours are written "a,b".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from kctl.api.objects import Obj, annotations_of

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod that say which index it works on."""
Indexes = tuple[tuple[int, int], ...]


def parse(text: str, completions: int) -> Indexes:
    """Read a status text; what is no number or not below ``completions`` is passed over."""
    found = []
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            continue
        if low < completions:
            found.append((low, min(high, completions - 1)))
    return union(found)


def show(indexes: Indexes) -> str:
    """Write the indexes as the status has them."""
    parts = []
    for low, high in indexes:
        join = "," if high == low + 1 else "-"
        parts.append(str(low) if low == high else f"{low}{join}{high}")
    return ",".join(parts)


def union(*several: Iterable[tuple[int, int]]) -> Indexes:
    """Return the indexes that are in any of them."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(interval for intervals in several for interval in intervals):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def of_numbers(numbers: Iterable[int]) -> Indexes:
    """Return the intervals that single numbers make."""
    return union((number, number) for number in numbers)


def total(indexes: Indexes) -> int:
    """Count the indexes."""
    return sum(high - low + 1 for low, high in indexes)


def has(indexes: Indexes, number: int) -> bool:
    """Say whether ``number`` is one of the indexes."""
    at = bisect_left(indexes, number, key=lambda interval: interval[1])
    return at < len(indexes) and indexes[at][0] <= number


def common(one: Indexes, other: Indexes) -> int:
    """Count the indexes that are in both."""
    found = at = 0
    for low, high in one:
        while at < len(other) and other[at][1] < low:
            at += 1
        for second in other[at:]:
            if second[0] > high:
                break
            found += min(high, second[1]) - max(low, second[0]) + 1
    return found


def first_free(taken: Indexes, count: int, completions: int) -> list[int]:
    """Return the lowest ``count`` indexes below ``completions`` that are not taken, as firstPendingIndexes."""
    out: list[int] = []
    candidate = 0
    for low, high in (*taken, (completions, completions)):
        end = min(low, completions, candidate + count - len(out))
        out.extend(range(candidate, end))
        if len(out) >= count:
            break
        candidate = max(candidate, high + 1)
    return out


def index_of(pod: Obj) -> int | None:
    """Return the index a pod works on, None when it does not say or says no number."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else None
