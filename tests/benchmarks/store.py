"""``python -m tests.benchmarks.store``: the log beside raw sqlite3, interleaved in one run.

The raw side writes the same tables with the same durability (WAL, synchronous=FULL), looks up
which revisions it replaces, and computes nothing: no hashes, no checks, no lock file. ``etcd`` is measured in the
same rounds where a binary of that name is found, through its JSON gateway, which costs it much
of a hundred operations and little of one. Prints percentiles of each, and the ratio of
the medians and of the best deciles: on a busy machine waiting for the disk lasts a tick of the
scheduler, and only the best, and the time on the processor, tell what the work costs.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kctl.store import ddl
from kctl.store.api import Write
from kctl.store.open import open_store
from tests.benchmarks.etcd import Etcd

VALUE = b'{"x":"' + b"y" * 1016 + b'"}'
KEYS = 5000
BLOCK = 40
BEFORE = "SELECT live.key, live.rev FROM json_each(?) AS wanted CROSS JOIN live ON live.key = wanted.value"
Step = Callable[[], None]


def raw(folder: Path, per: int) -> Iterator[None]:
    """Commit ``per`` rows a step with sqlite3 alone."""
    folder.mkdir()
    db = sqlite3.connect(folder / "log.db", isolation_level=None)
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(ddl.DDL)
    h, revision, index = bytes(32), 0, 0
    while True:
        db.execute("BEGIN IMMEDIATE")
        keys = [f"/pods/ns/p{(revision + n) % KEYS}" for n in range(1, per + 1)]
        prev = dict(db.execute(BEFORE, (json.dumps(keys),)))
        rows, live = [], []
        for key in keys:
            revision += 1
            rows.append((revision, key, 0, revision, prev.get(key, 0), 0, h, VALUE))
            live.append((key, revision))
        index += 1
        db.executemany("INSERT INTO kv VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?)", live)
        db.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", ("pods", revision, h))
        entry = (index, revision - per + 1, revision, 0, 0, "", 1.0, "", None, h, h, h)
        db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", entry)
        db.execute("COMMIT")
        yield


def ours(folder: Path, per: int, replicas: int) -> Iterator[None]:
    """Commit ``per`` writes a step through a Store."""
    store = open_store([folder / str(n) for n in range(replicas)], create=True)
    head, revision = store.head(), 0
    while True:
        writes = []
        for _ in range(per):
            revision += 1
            writes.append(Write(f"/pods/ns/p{revision % KEYS}", VALUE, revision, revision))
        head = store.commit(head, writes, revision=revision, now=1.0)
        yield


def through_etcd(etcd: Etcd, per: int) -> Iterator[None]:
    """Put ``per`` keys in a transaction a step."""
    revision = 0
    while True:
        pairs = []
        for _ in range(per):
            revision += 1
            pairs.append((f"/pods/ns/p{revision % KEYS}", VALUE))
        etcd.put(pairs)
        yield


def commits(place: Path, rounds: int) -> None:
    """Compare commits of one operation and of a hundred."""
    print(
        f"beside {Etcd.version()}"
        if Etcd.binary()
        else "no etcd here to compare with: install etcd-server, or put etcd in PATH"
    )
    for per in (1, 100):
        runners = {"raw sqlite3": raw(place / f"raw{per}", per)}
        for replicas in (1, 3, 5):
            runners[f"kctl x{replicas}"] = ours(place / f"ours{per}-{replicas}", per, replicas)
        servers = {f"etcd x{n}": Etcd(place / f"etcd{per}-{n}", n) for n in (1, 3)} if Etcd.binary() else {}
        for name, server in servers.items():
            runners[name] = through_etcd(server, per)
        taken: dict[str, list[float]] = {name: [] for name in runners}
        work: dict[str, list[float]] = {name: [] for name in runners}
        block = BLOCK if per == 1 else BLOCK // 8
        for n in range(rounds):
            for name, runner in runners.items():
                began = time.process_time()
                for _ in range(block):
                    start = time.perf_counter()
                    next(runner)
                    if n:
                        taken[name].append(time.perf_counter() - start)
                work[name].append((time.process_time() - began) / block)
        for server in servers.values():
            server.close()
        base = taken["raw sqlite3"]
        print(f"\n{per} operation{'s' if per > 1 else ''} a commit, values of 1 KB")
        for name, times in taken.items():
            ratios = (best(base) / best(times), statistics.median(base) / statistics.median(times))
            cpu = statistics.median(work[name]) * 1e6
            show(name, times, f"cpu {cpu:6.0f} us   {ratios[0]:5.0%} and {ratios[1]:5.0%} of raw")


def best(times: list[float]) -> float:
    """Return the best decile."""
    return sorted(times)[len(times) // 10]


def show(name: str, times: list[float], note: str = "") -> None:
    """Print the median, the 99th percentile and a note."""
    times = sorted(times)
    p10, p50, p99 = (times[int(len(times) * part)] * 1e6 for part in (0.1, 0.5, 0.99))
    print(f"  {name:14} p10 {p10:8.0f} us   p50 {p50:8.0f} us   p99 {p99:8.0f} us   {note}")


def timed(step: Step, count: int) -> list[float]:
    """Return how long a step takes, ``count`` times."""
    out = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        out.append(time.perf_counter() - start)
    return out


def reads(place: Path, replicas: int) -> None:
    """Measure reads and the size at 10,000 objects of 1 KB."""
    folders = [place / f"reads{replicas}-{n}" for n in range(replicas)]
    store = open_store(folders, create=True)
    head = store.head()
    for first in range(1, 10_001, 500):
        writes = [Write(f"/pods/ns/p{n}", VALUE, n, n) for n in range(first, first + 500)]
        head = store.commit(head, writes, revision=first + 499, now=1.0)
    print(f"\n10,000 objects of 1 KB, {replicas} replica{'s' if replicas > 1 else ''}")

    def open_get_close() -> None:
        other = open_store(folders)
        other.get("/pods/ns/p77")
        other.close()

    def first_list() -> None:
        other = open_store(folders)
        other.list("/pods/")
        other.close()

    show("get", timed(lambda: store.get("/pods/ns/p4711"), 2000))
    show("list", timed(lambda: store.list("/pods/"), 20))
    show("open+list", timed(first_list, 10))
    show("open+get", timed(open_get_close, 200))
    store.close()
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in folders]
    print(f"  {max(sizes) / 10_000:.0f} bytes an object a replica")


def soak(place: Path, applies: int) -> None:
    """Apply again and again with a retention; compare the second thousand with the last."""
    from kctl.store.api import Retention

    store = open_store([place / "soak"], create=True, retention=Retention(10_000))
    head, revision = store.head(), 0
    blocks: list[tuple[float, float, int]] = []
    for block in range(applies // 1000):
        times = []
        for n in range(1000):
            start = time.perf_counter()
            for _ in range(3):
                writes = []
                for k in range(8):
                    revision += 1
                    writes.append(Write(f"/pods/ns/p{(n + k) % 300}", VALUE, revision, revision))
                head = store.commit(head, writes, revision=revision, now=float(block))
            times.append(time.perf_counter() - start)
        size = sum(path.stat().st_size for path in (place / "soak").iterdir())
        blocks.append((statistics.median(times), sorted(times)[990], size))
    store.close()
    print(f"\n{applies} applies of 3 entries, 8 writes each; 10,000 revisions kept")
    for number in (1, len(blocks) - 1):
        p50, p99, size = blocks[number]
        print(f"  thousand {number + 1:3}: p50 {p50 * 1e6:6.0f} us  p99 {p99 * 1e6:6.0f} us  {size / 1e6:.1f} MB")


STANDARD = "contextlib, enum, hashlib, json, pathlib, re, sqlite3, struct, typing"


def imports() -> None:
    """Measure what importing the store costs above the parts of the standard library that it uses."""
    code = f"import time, {STANDARD}; t = time.process_time(); import kctl.store.open; print(time.process_time() - t)"
    with tempfile.TemporaryDirectory() as cache:
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        runs = [
            float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environ).stdout)
            for _ in range(9)
        ]
    print(f"\nimport: {min(runs) * 1e3:.1f} ms of CPU")


def main() -> None:
    """Measure what was asked for, all of it by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="commits|reads|soak|imports")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--applies", type=int, default=10_000)
    parser.add_argument("--place", default=None, help="where to write; by default a temporary folder")
    args = parser.parse_args()
    gc.disable()  # as every command does
    what = args.what or ["commits", "reads", "soak", "imports"]
    place = Path(tempfile.mkdtemp(dir=args.place))
    print(f"sqlite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    try:
        if "commits" in what:
            commits(place, args.rounds)
        if "reads" in what:
            reads(place, 1)
            reads(place, 3)
        if "soak" in what:
            soak(place, args.applies)
        if "imports" in what:
            imports()
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
