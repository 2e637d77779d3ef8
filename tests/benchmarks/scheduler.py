"""``python -m tests.benchmarks.scheduler [--only NAME ...] [--nodes N] [--pods N] [--without-numpy] [--memory]``: the scheduler alone.

Each scenario is a process of its own: nodes and pods are made as the API server gives them, then all pods are
decided about through the door that the scheduler's loop uses, 256 at a time, from parsing a pod to counting
it on its node. Printed are CPU seconds, pods a second, the goal, what the plain way of the plugins does in a second
(measured on a few pods of the same scenario), and memory per placed pod beside the API objects. What counts are CPU
seconds of one core; they depend on the machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.kernel.engine import with_arrays
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from tests.benchmarks.scheduler_scenarios import SCENARIOS, Scenario, node, objects

ROOT = Path(__file__).resolve().parents[2]
BATCH = 256
PLAIN = 12
"""So many pods are decided about the plain way, for comparison."""
HEAD = f"{'scenario':<52} {'pods':>7} {'CPU s':>6} {'pods/s':>8} {'goal':>7} {'plain/s':>8} {'B/pod':>6}"


def held() -> int:
    """Return the bytes that live objects take, where they are traced; else what this process holds in memory."""
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def world(scenario: Scenario, nodes: int) -> Cluster:
    """Return the cluster before any pod."""
    caches = Caches(lambda _cache: None)
    for resource, obj in objects(scenario):
        caches[resource].deliver(WatchEvent("ADDED", resource, obj, None))
    cluster = Cluster(caches)
    for n in range(nodes):
        cluster.put_node(node(n, scenario))
    return cluster


def plainly(scenario: Scenario, cluster: Cluster, pods: list[dict[str, Any]]) -> float:
    """Return how many pods the plain way places in a second of CPU."""
    framework = default_profile()
    sample = pods[:: max(1, len(pods) // PLAIN)][:PLAIN]
    begin = time.process_time()
    for pod in sample:
        framework.schedule(cluster, PodInfo(pod))
    return len(sample) / (time.process_time() - begin)


def run(scenario: Scenario, options: argparse.Namespace) -> dict[str, Any]:
    """Run one scenario and return what it cost."""
    gc.disable()
    cluster = world(scenario, options.nodes)
    made = scenario.pods(min(options.pods, scenario.most))
    kernel = Kernel(default_profile())
    if scenario.filled is not None:
        return preempted(scenario, cluster, kernel, made)
    begin = time.process_time()
    if not options.without_numpy and options.memory:
        with_arrays()  # the memory of the library is not that of the pods
    if options.memory:
        tracemalloc.start()
    before = held()
    info = cluster.templates.info
    left = 0
    for n in range(0, len(made), BATCH):
        batch = [info(pod) for pod in made[n : n + BATCH]]
        left += len(batch) - len(kernel.schedule_many(cluster, batch, pending=len(made) - n))
    cost = time.process_time() - begin
    gc.collect()
    grown = held() - before
    tracemalloc.stop()
    speed = plainly(scenario, cluster, made)
    return {"pods": len(made), "left": left, "cpu": cost, "plain": speed, "bytes": grown / len(made)}


def preempted(scenario: Scenario, cluster: Cluster, kernel: Kernel, pods: list[dict[str, Any]]) -> dict[str, Any]:
    """Fill all nodes with pods of low priority, then let each of the others take the place of some."""
    if scenario.filled is None:
        return {}
    for n in range(len(cluster.order()) * scenario.each):
        place = cluster.order()[n % len(cluster.order())]
        cluster.place(cluster.templates.info(scenario.filled.pod(n)), place.name)
    speed = plainly(scenario, cluster, pods[:3])
    before, begin = held(), time.process_time()
    left = 0
    for pod in pods:
        info = cluster.templates.info(pod)
        if kernel.schedule_many(cluster, [info]):
            continue
        found = kernel.explain(cluster, info).preemption
        if found is None or not found.node:
            left += 1
            continue
        for victim in found.victims:
            cluster.remove_pod(victim.key)
        cluster.place(info, found.node)
    cost = time.process_time() - begin
    grown = held() - before
    return {"pods": len(pods), "left": left, "cpu": cost, "plain": speed, "bytes": grown / len(pods)}


def in_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one scenario in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.scheduler", "--one", name]
    command += ["--nodes", str(options.nodes), "--pods", str(options.pods)]
    command += ["--without-numpy"] if options.without_numpy else []
    command += ["--memory"] if options.memory else []
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Run the scenarios and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scheduler")
    parser.add_argument("--only", nargs="*", choices=sorted(SCENARIOS))
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=150_000)
    parser.add_argument("--without-numpy", action="store_true", help="as where NumPy is not installed")
    parser.add_argument("--memory", action="store_true", help="trace memory exactly; then the seconds mean nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without_numpy:
        sys.modules["numpy"] = None  # type: ignore[assignment]
    if options.one:
        print(json.dumps(run(SCENARIOS[options.one], options)))
        return
    print(HEAD)
    for name in options.only or SCENARIOS:
        scenario, found = SCENARIOS[name], in_process(name, options)
        speed = found["pods"] / found["cpu"]
        left = f"  {found['left']} left to the plain way" if found["left"] else ""
        print(
            f"{scenario.name:<52} {found['pods']:>7} {found['cpu']:>6.2f} {speed:>8.0f} {scenario.goal:>7} "
            f"{found['plain']:>8.0f} {found['bytes']:>6.0f}{left}",
            flush=True,
        )


if __name__ == "__main__":
    main()
