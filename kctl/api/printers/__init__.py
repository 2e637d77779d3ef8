"""Objects as rows: kubectl's columns, by kind.

As k8s.io/kubernetes pkg/printers/internalversion. In: an object and the present. Out: cells
(text, numbers, booleans) under columns; a column of priority 1 shows in wide listings only.
Kinds without columns of their own have Name and Age.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj

Cell = str | int | bool


class Column(NamedTuple):
    """A column's definition, as metav1.TableColumnDefinition."""

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""


class Printer(NamedTuple):
    """The columns of a kind and how to fill them: ``cells(object, now)``."""

    columns: tuple[Column, ...]
    cells: Callable[[Obj, float], list[Cell]]


NAME = Column("Name", format="name")
AGE = Column("Age")


def columns(*specs: str | Column) -> tuple[Column, ...]:
    """Build columns from specs: ``Ready``, ``Desired:integer``, ``Images/1`` (wide only)."""
    out = []
    for spec in specs:
        if isinstance(spec, Column):
            out.append(spec)
            continue
        name, _, priority = spec.rpartition("/") if spec.endswith("/1") else (spec, "", "0")
        name, _, type_ = name.partition(":")
        out.append(Column(name, type_ or "string", int(priority)))
    return tuple(out)


def of(resource: str) -> Printer:
    """Return the printer of a resource (``pods``, ``deployments.apps``)."""
    from kctl.api.printers import core, workloads

    for module in (workloads, core):
        found: Printer | None = module.PRINTERS.get(resource)
        if found:
            return found
    return Printer((NAME, AGE), lambda obj, now: [obj["metadata"]["name"], age(obj, now)])


def age(obj: Obj, now: float) -> str:
    """Return how old the object is, as kubectl's AGE."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(text: str | None, now: float) -> str:
    """Return the time since a timestamp, ``<unknown>`` when there is none."""
    return human_duration(now - parse_time(text)) if text else "<unknown>"


def human_duration(seconds: float) -> str:
    """Write a duration as k8s.io/apimachinery duration.HumanDuration does."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, rest = divmod(hours, 24)
    if hours < 24 * 8:
        return f"{days}d{rest}h" if rest else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years, rest = divmod(days, 365)
    if hours < 24 * 365 * 8:
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


def joined(values: Iterable[Any], empty: str = "<none>") -> str:
    """Return the values with commas, ``<none>`` for none."""
    return ",".join(str(value) for value in values) or empty


def label_selector(selector: Obj | None) -> str:
    """Write a LabelSelector as metav1.FormatLabelSelector does."""
    from kctl.api import selectors

    if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return "<none>"
    return str(selectors.from_label_selector(selector))


def plain_selector(selector: Obj | None) -> str:
    """Write a map selector as labels.FormatLabels does."""
    return joined(f"{key}={value}" for key, value in sorted((selector or {}).items()))
