"""``python -m tests.scheduler.equality [--clusters N] [--seed S]``: do the kernel and the plugins decide alike?

Each seed makes a random cluster twice. In one the kernel decides about pods in batches, and what it leaves goes the
plain way; in the other every pod goes the plain way. Both are disturbed alike. Any difference is printed with its seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from typing import Any

from kctl.api.objects import evolve
from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.framework import Framework, Outcome
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from tests.scheduler import worlds

Obj = dict[str, Any]
ARRAYS = {"worth_arrays": 0, "long": 2}
"""What makes the kernel use arrays in small clusters, and change between them and heaps all the time."""
LATE = "2026-01-01T00:00:00Z"


class Difference(Exception):
    """The two ways do not agree."""


class Twins:
    """The same random cluster twice, one for each way."""

    def __init__(self, seed: int, framework: Framework | None = None, **kernel: Any) -> None:
        self.rng = rng = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.caches = Caches(lambda _cache: None)
        for name, labels in worlds.NAMESPACES.items():
            self.put("namespaces", {"metadata": {"name": name, "labels": labels}})
        self.templates = [worlds.Template(rng, n) for n in range(rng.randint(1, 6))]
        for template in self.templates:
            workload = template.workload()
            if workload is not None:
                self.put(*workload)
        for number in range(rng.randint(0, 2)):
            self.put("poddisruptionbudgets.policy", worlds.budget(rng, number))
        self.fast, self.plain = Cluster(self.caches), Cluster(self.caches)
        self.size = rng.choice((1, 3, 6, 12, 24))
        for n in range(self.size):
            self.both("put_node", worlds.node(rng, f"n{n}"))
        self.framework = framework or default_profile()
        self.kernel = Kernel(self.framework, **kernel)
        self.number = 0

    def put(self, resource: str, obj: Obj) -> None:
        """Put an object into the caches that both clusters read."""
        self.caches[resource].deliver(WatchEvent("ADDED", resource, obj, None))

    def both(self, what: str, *args: Any) -> None:
        """Tell both clusters of an event."""
        for cluster in (self.fast, self.plain):
            getattr(cluster, what)(*args)

    def pods(self) -> list[Obj]:
        """Return the next pods of the queue: rows of one template, or a mixture."""
        rng = self.rng
        row = rng.choice(self.templates) if rng.random() < 0.5 else None
        found = []
        for _ in range(rng.randint(1, 8)):
            self.number += 1
            status = {"nominatedNodeName": f"n{rng.randrange(self.size)}"} if rng.random() < 0.02 else {}
            found.append((row or rng.choice(self.templates)).pod(f"p{self.number}", **status))
        return found

    def step(self) -> None:
        """Decide for some pods both ways."""
        pods = self.pods()
        waiting = [PodInfo(pod) for pod in pods]
        while waiting:
            at = self.fast.journal.end
            nodes = self.kernel.schedule_many(self.fast, waiting)
            for n, (pod, node) in enumerate(zip(waiting, nodes, strict=False)):
                self.seen["fast"] += 1
                plain = self.plainly(pod.obj)
                if plain.node != node:
                    raise Difference(f"{pod.key}: {node} is not {plain.node}, scores {plain.scores}, {plain.best}")
                if self.rng.random() < 0.05:
                    self.recall(pod, node, at + n, plain)
            waiting = waiting[len(nodes) :]
            if waiting and not nodes:
                self.left(waiting.pop(0))

    def plainly(self, obj: Obj) -> Outcome:
        """Decide and place the plain way."""
        pod = PodInfo(obj)
        outcome = self.framework.schedule(self.plain, pod)
        if outcome.node:
            self.plain.place(pod, outcome.node)
            self.plain.nominate(pod, "")
        return outcome

    def recall(self, pod: PodInfo, node: str, at: int, plain: Outcome) -> None:
        """Compare what is remembered of a decision."""
        found = self.kernel.placed(self.fast, pod, node, pod.obj, at).recall()
        if found is None or found._replace(pod=plain.pod) != plain:
            raise Difference(f"{pod.key} is remembered as {found}, decided as {plain}")

    def left(self, pod: PodInfo) -> None:
        """Go on with a pod that the kernel left to the plain way."""
        outcome = self.kernel.explain(self.fast, pod)
        plain = self.plainly(pod.obj)
        if outcome._replace(pod=plain.pod, preemption=None) != plain._replace(preemption=None):
            raise Difference(f"{pod.key} fails as {outcome}, plainly {plain}")
        if (outcome.preemption is None) != (plain.preemption is None) or (
            outcome.preemption is not None and plain.preemption is not None and told(outcome) != told(plain)
        ):
            raise Difference(f"{pod.key} preempts {told(outcome)}, plainly {told(plain)}")
        self.seen["left" if plain.node else "failed"] += 1
        if outcome.node:
            self.fast.place(pod, outcome.node)
            self.fast.nominate(pod, "")
        elif outcome.preemption is not None and outcome.preemption.node:
            self.preempt(pod, outcome)

    def preempt(self, pod: PodInfo, outcome: Outcome) -> None:
        """Carry a preemption out in both clusters, in one of the ways it may go on."""
        self.seen["preempted"] += 1
        assert outcome.preemption is not None
        node, rng = outcome.preemption.node, self.rng
        go = rng.random()
        for victim in outcome.preemption.victims:
            if go < 0.6:
                self.both("remove_pod", victim.key)
            else:
                self.terminate(victim, preempted=True)
        if go < 0.4:
            for cluster in (self.fast, self.plain):
                cluster.place(PodInfo(pod.obj), node)
        elif go < 0.9:
            obj = {**pod.obj, "status": {"nominatedNodeName": node}}
            for cluster in (self.fast, self.plain):
                cluster.nominate(PodInfo(obj), node)

    def terminate(self, pod: PodInfo, *, preempted: bool = False) -> None:
        """Let a placed pod be on its way out."""
        target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        status = {"conditions": [target]} if preempted else {}
        changes = {"metadata": {"deletionTimestamp": LATE}, "spec": {"nodeName": pod.node_name}, "status": status}
        self.both("put_pod", evolve(pod.obj, changes))

    def disturb(self) -> None:
        """Change something behind the scheduler's back."""
        rng = self.rng
        kind = rng.randint(0, 12)
        keys = sorted(self.fast.pods)
        pod = self.fast.pods[rng.choice(keys)] if keys else None
        if kind in (0, 8, 9, 10) and pod is not None:
            self.both("remove_pod", pod.key)
        elif kind == 1 and pod is not None:
            labels = rng.choice(({"app": rng.choice("pqr")}, {worlds.ZONE: rng.choice("ab")}))
            self.both("put_pod", evolve(pod.obj, {"metadata": {"labels": labels}, "spec": {"nodeName": pod.node_name}}))
        elif kind == 2 and pod is not None:
            self.terminate(pod)
        elif kind == 3:
            name = f"n{rng.randint(0, self.size)}"
            old = self.fast.node(name)
            fresh = worlds.node(rng, name)
            again = old is not None and rng.random() < 0.3
            self.both("put_node", evolve(old.node, {"status": {"x": rng.random()}}) if again and old else fresh)
        elif kind == 4 and len(self.fast.tree) > 1:
            self.both("remove_node", rng.choice([node.name for node in self.fast.order()]))
        elif kind == 5:
            self.put("services", worlds.service(rng))
        elif kind == 6 and pod is not None:
            grown = {"name": "c", "resources": {"requests": {"cpu": "700m"}}}
            status = {"containerStatuses": [grown]}
            self.both("put_pod", evolve(pod.obj, {"spec": {"nodeName": pod.node_name}, "status": status}))
        elif kind == 11 and pod is not None:
            started = {"startTime": f"2026-01-01T00:00:0{rng.randint(0, 9)}Z"}
            self.both("put_pod", evolve(pod.obj, {"spec": {"nodeName": pod.node_name}, "status": started}))
        elif kind == 12:
            self.put("poddisruptionbudgets.policy", worlds.budget(rng, rng.randint(0, 1)))
        elif kind == 7:
            for name, guests in list(self.fast.nominated.items()):
                for key in list(guests):
                    self.both("nominate", guests[key], "")
                    self.seen[f"cleared {name != ''}"] += 0

    def run(self, steps: int) -> None:
        """Decide and disturb by turns."""
        for _ in range(steps):
            self.step()
            while self.rng.random() < 0.5:
                self.disturb()


def told(outcome: Outcome) -> Any:
    """Return a preemption as plain values."""
    found = outcome.preemption
    if found is None:
        return None
    victims = {name: [v.key for v in pods] for name, pods in found.candidates.items()}
    return (found.node, [v.key for v in found.victims], victims, found.message, found.clears)


def compare(seed: int, steps: int = 12, **kernel: Any) -> Counter[str]:
    """Run one cluster; :class:`Difference` when the ways do not agree."""
    twins = Twins(seed, **kernel)
    try:
        twins.run(steps)
    except Difference as difference:
        raise Difference(f"seed {seed}: {difference}") from None
    return twins.seen


def main() -> None:
    """Compare many clusters."""
    parser = argparse.ArgumentParser(prog="python -m tests.scheduler.equality")
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="the first cluster's seed")
    parser.add_argument("--arrays", action="store_true", help="let the kernel use NumPy, which small clusters do not")
    parser.add_argument("--most", type=int, default=10, help="stop after so many differences")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    different = 0
    begin = time.process_time()
    for n in range(options.clusters):
        try:
            seen += compare(options.seed + n, **(ARRAYS if options.arrays else {}))
        except Difference as difference:
            different += 1
            print(str(difference)[:1500], flush=True)
            if different >= options.most:
                break
        if n % 500 == 499:
            print(f"{n + 1} clusters, {time.process_time() - begin:.0f} s: {dict(seen)}", flush=True)
    print(f"{n + 1} clusters, {different} different: {dict(seen)}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
