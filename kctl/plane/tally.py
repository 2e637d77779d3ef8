"""What the control loops of the last run did, kept in a file beside the log.

In: a manager after a run. Out: the file, which nobody misses if it is lost; and joined with what loops there are, the rows of
``kctl controllers``. Times are the machine's, so they differ from run to run; nothing depends on them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kctl.api.objects import Obj
from kctl.runtime.loop import ControllerLoop

if TYPE_CHECKING:
    from pathlib import Path

    from kctl.plane.plane import ControlPlane
    from kctl.runtime.manager import Manager

FILE = "controllers.json"


def begin(manager: Manager) -> None:
    """Start counting anew, with a clock of the machine."""
    from time import perf_counter

    manager.stopwatch = perf_counter
    manager.seconds.clear()
    manager.written.clear()
    for loop in manager.loops:
        if isinstance(loop, ControllerLoop):
            loop.stats.syncs = loop.stats.errors = 0


def keep(folder: Path, manager: Manager) -> None:
    """Write down what was counted, unless the disk does not take it."""
    with suppress(OSError):
        descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(of(manager)))


def of(manager: Manager) -> Obj:
    """Return what was counted, a record a loop that did something."""
    found: dict[str, Obj] = {}
    for loop in manager.loops:
        seconds = manager.seconds.get(loop.name)
        written = manager.written.get(loop.name, 0)
        if seconds is None and not written:
            continue
        stats = loop.stats if isinstance(loop, ControllerLoop) else None
        errors = sorted(stats.last_error.items()) if stats is not None else []
        found[loop.name] = {
            "syncs": stats.syncs if stats is not None else sum(getattr(loop, "tried", {}).values()),
            "writes": written,
            "errors": stats.errors if stats is not None else 0,
            "seconds": round(seconds or 0.0, 6),
            "lastError": f"{'/'.join(part for part in errors[-1][0] if part)}: {errors[-1][1]}" if errors else "",
        }
    for crash in manager.crashes:
        found[crash.loop] = {
            "syncs": 0,
            "writes": manager.written.get(crash.loop, 0),
            "errors": 1,
            "seconds": round(manager.seconds.get(crash.loop, 0.0), 6),
            "lastError": crash.error,
            "crashed": True,
        }
    return found


def rows(plane: ControlPlane) -> list[Obj]:
    """Return a row for each loop of the plane, by level; those that never ran count nothing."""
    from kctl.plane.loops import descriptors

    noted = _noted(plane)
    out = []
    for found in descriptors(plane.shape.controllers, cloud=plane.shape.cloud):
        did = noted.get(found["name"], {})
        out.append(
            {
                **found,
                "syncs": did.get("syncs", 0),
                "writes": did.get("writes", 0),
                "errors": did.get("errors", 0),
                "seconds": did.get("seconds", 0.0),
                "lastError": did.get("lastError", ""),
                "crashed": did.get("crashed", False),
            }
        )
    return out


def _noted(plane: ControlPlane) -> dict[str, Any]:
    if plane.folder is None:
        return {}
    try:
        found = json.loads((plane.folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
