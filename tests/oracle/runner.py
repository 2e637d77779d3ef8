"""Runs sets and prints what came out: a line a set, then the ids of what failed.

python -m tests.oracle [--dir DIR] [--show N] [--raise-floors] [SET ...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from tests.oracle import FOLDER, Result, Set

MODULES = ("api", "scheduler", "controllers")
ALL = [
    *("defaulting", "validation", "patch", "apply", "crd", "table", "discovery", "protocol", "admission", "rbac"),
    *("placement", "feasible", "score", "message", "preemption", "volumes", "requeue"),
    *("rollouts", "controllers", "nodes"),
]
FLOORS = Path(__file__).with_name("floors.json")
KNOWN = Path(__file__).with_name("known.json")
"""What fails, by set and id, each with its reason. The file only shrinks."""


def sets() -> dict[str, Set]:
    """Return the sets that can be run, in the order of the documentation."""
    found: dict[str, Set] = {}
    for name in MODULES:
        try:
            found |= import_module(f"tests.oracle.{name}").SETS
        except ModuleNotFoundError as missing:
            if missing.name != f"tests.oracle.{name}":
                raise
    return {name: found[name] for name in ALL if name in found}


def rate(results: Sequence[Result]) -> float:
    """Return the share that passed, rounded down so that it never claims more."""
    if not results:
        return 0.0
    return int(10000 * sum(result.passed for result in results) / len(results)) / 10000


def floors() -> dict[str, dict[str, float]]:
    """Return the committed rates, of whole sets and of samples."""
    return json.loads(FLOORS.read_text()) if FLOORS.exists() else {"sample": {}, "whole": {}}


def raise_floors(part: str, rates: dict[str, float]) -> None:
    """Write rates that rose; none ever falls."""
    known = floors()
    row = known.setdefault(part, {})
    for name, value in rates.items():
        row[name] = max(value, row.get(name, 0.0))
    known[part] = {name: row[name] for name in ALL if name in row}
    FLOORS.write_text(json.dumps(known, indent=2) + "\n")


def known() -> dict[str, dict[str, str]]:
    """Return the reasons of what is known to fail, by set and id."""
    return json.loads(KNOWN.read_text()) if KNOWN.exists() else {}


def forget(name: str, passed: Iterable[str]) -> None:
    """Take what passes out of the list of failures."""
    listed = known()
    fixed = set(passed)
    listed[name] = {id_: why for id_, why in listed.get(name, {}).items() if id_ not in fixed}
    kept = {set_: listed[set_] for set_ in ALL if listed.get(set_)}
    KNOWN.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def line(name: str, results: Sequence[Result]) -> str:
    """Return a set's line: name, rate, passed, total."""
    return f"{name} {rate(results):.4f} {sum(result.passed for result in results)} {len(results)}"


def report(name: str, results: Iterable[Result], show: int) -> tuple[list[Result], list[str]]:
    """Return the results and what to print of the failed ones."""
    listed = list(results)
    failed = [result for result in listed if not result.passed]
    texts = [f"{name} {result.id}" for result in failed]
    return listed, [*(f"{name} {result.id}\n    {result.why}" for result in failed[:show]), *texts[show:]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sets asked for, all without names."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description="Compare kctl with recorded answers.")
    parser.add_argument("sets", nargs="*", metavar="SET", help=" ".join(ALL))
    parser.add_argument("--dir", type=Path, default=FOLDER, help="the folder of the recordings")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="say what differed in the first N failures")
    parser.add_argument("--raise-floors", action="store_true", help="write the rates that rose, forget what is fixed")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sets if name not in ALL]
    if unknown:
        parser.error(f"no such set: {', '.join(unknown)}")
    if not options.dir.is_dir():
        parser.error(f"{options.dir} is no folder of recordings; name one with --dir")
    runnable, rates = sets(), {}
    failures: list[str] = []
    for name in options.sets or ALL:
        if name not in runnable:
            print(f"{name} has no runner yet", flush=True)
            continue
        results, texts = report(name, runnable[name](options.dir), options.show)
        rates[name] = rate(results)
        failures += texts
        print(line(name, results), flush=True)
        if options.raise_floors:
            forget(name, (result.id for result in results if result.passed))
    if options.raise_floors:
        raise_floors("whole", rates)
    print("\n".join(failures))
    return 0
