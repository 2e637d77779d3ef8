"""What a fork costs: ``python -m tests.benchmarks.fork [OBJECTS]``.

A fork is taken of a plane with so many objects, some of them are written in it, and it is undone.
"""

from __future__ import annotations

import statistics
import sys
import time

from kctl.api.clock import FixedClock
from kctl.api.objects import Key, Obj
from kctl.apiserver.storage import Storage
from kctl.store.memory import MemoryStore
from kctl.store.overlay import OverlayStore

ROUNDS = 20


def pod(number: int, image: str) -> Obj:
    """Return a pod."""
    meta = {"name": f"p{number}", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "c", "image": image}]},
    }


def main() -> None:
    """Print the median of several rounds for forks that write nothing, little and more."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    storage = Storage(MemoryStore(), FixedClock())
    for number in range(count):
        storage.put("pods", Key("default", f"p{number}"), pod(number, "a"))
    storage.commit()
    for writes in (0, 100, 1000):
        took = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            with storage.fork():
                for number in range(writes):
                    storage.put("pods", Key("default", f"p{number}"), pod(number, "b"))
            took.append(time.perf_counter() - begun)
        print(f"fork of {count} objects, {writes} written in it: {statistics.median(took) * 1000:.2f} ms")
    begun = time.perf_counter()
    OverlayStore(storage.store)
    print(f"overlay on a log of {count} objects: {(time.perf_counter() - begun) * 1000:.2f} ms")


if __name__ == "__main__":
    main()
