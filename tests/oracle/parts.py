"""``python -m tests.oracle.parts [SET ...]``: how much of the recorded scenarios comes out, part by part.

In: the sets rollouts, controllers and nodes. Out: a line for each of four parts of a set: the sizes of
ReplicaSets in the order they were written, the state after each step, the type, status and reason of
conditions, and the reason, type and kind of Events. Where ``tests.oracle`` counts a case as a whole, this goes on
after a difference and counts what a person would ask about; what the recording calls unstable is left out.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.oracle import FOLDER
from tests.oracle.controllers import SETS, events, ordered, state
from tests.oracle.scenario import Obj, Scenario

PARTS = ("sequences", "states", "conditions", "events")


def play(case: Obj) -> Iterator[tuple[str, Any, Any]]:
    """Yield a part, what was recorded and what came out, for everything in a case that can be compared."""
    unstable = set(case["unstable"])
    scenario = Scenario(case)
    try:
        for number, step in enumerate(case["steps"]):
            seen = scenario.play(step)
            place = f"steps/{number}"
            if step.get("trace") and f"{place}/trace" not in unstable:
                yield "sequences", sizes(step["trace"]), sizes(seen.get("trace") or [])
            if step.get("state") is None or f"{place}/state" in unstable:
                continue
            found = state(scenario, case)
            for resource, wanted in step["state"].items():
                if f"{place}/state/{resource}" in unstable:
                    continue
                yield "states", ordered(wanted), ordered(found.get(resource, []))
                yield from condition_pairs(wanted, found.get(resource, []))
        if "events" in unstable:
            return
        scenario.linger()
        loose = {told(event) for event in case.get("eventsUnstable") or ()}
        seen_events = {told(event) for event in events(scenario)}
        for event in sorted({told(event) for event in case["events"]} - loose):
            yield "events", event, event if event in seen_events else None
    finally:
        scenario.close()


def sizes(trace: list[Obj]) -> list[Any]:
    """Return the ReplicaSets and their sizes, in the order in which they were written."""
    return [change for moment in trace for change in moment["replicas"]]


def condition_pairs(wanted: list[Obj], seen: list[Obj]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each recorded condition beside itself, or beside None where it did not come out as often."""
    have = conditions(seen)
    for said, times in conditions(wanted).items():
        for number in range(times):
            yield "conditions", said, said if number < have[said] else None


def conditions(listed: list[Obj]) -> Counter[tuple[Any, ...]]:
    """Count the conditions of objects: name, type, status and reason; made-up parts of names are all ``<x>``."""
    return Counter(
        (obj["metadata"].get("name"), found["type"], found["status"], found.get("reason"))
        for obj in listed
        for found in (obj.get("status") or {}).get("conditions") or ()
    )


def told(event: Obj) -> tuple[str, str, str]:
    """Return reason, type and kind of an Event."""
    return event["reason"], event["type"], event["kind"]


def main(names: list[str]) -> int:
    """Print the lines of the sets asked for, all without names."""
    for name in names or list(SETS):
        passed: Counter[str] = Counter()
        total: Counter[str] = Counter()
        with gzip.open(FOLDER / "controllers" / f"{name}.jsonl.gz", "rt") as lines:
            for line in lines:
                for part, wanted, seen in play(json.loads(line)):
                    total[part] += 1
                    passed[part] += wanted == seen
        for part in PARTS:
            if total[part]:
                print(f"{name} {part} {passed[part] / total[part]:.4f} {passed[part]} {total[part]}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
