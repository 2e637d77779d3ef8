"""Recorded decisions of kube-scheduler 1.36, replayed through the public door.

In: the folder with ``scheduler/*.jsonl.gz`` (see its README). Out: a result per decision and question. A pod is
POSTed, the plane converges with the scheduler as its only controller, and the decision is read back; then
the recorded placement is applied, so that every decision starts from the recorded state.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from kctl import ControlPlane

Obj = dict[str, Any]

try:
    from tests.oracle import Result
except ImportError:  # only this file is there

    class Result(NamedTuple):  # type: ignore[no-redef]
        """One question: its id, whether the answer was right, and what was wrong."""

        id: str
        passed: bool
        why: str


NAMESPACES = {"default": {}, "team-a": {"env": "prod", "tier": "web"}, "team-b": {"env": "dev", "tier": "web"}}
NAMESPACES["team-c"] = {"env": "prod"}
PRIORITIES = {"high-never": 1000, "mid-never": 500, "p-low": -10, "p-mid": 100, "p-high": 1000, "p-top": 100000}
RUNTIMES: list[Obj] = [
    {"metadata": {"name": "heavy"}, "handler": "h", "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}}},
    {
        "metadata": {"name": "light"},
        "handler": "h",
        "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "special", "operator": "Exists"}]},
    },
]
PATHS = {
    "Node": "/api/v1/nodes",
    "Namespace": "/api/v1/namespaces",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "ReplicationController": "/api/v1/namespaces/{}/replicationcontrollers",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "CSINode": "/apis/storage.k8s.io/v1/csinodes",
}
MERGE = "application/merge-patch+json"
NOW = {"gracePeriodSeconds": 0}


class World:
    """A control plane brought to a case's beginning, and the verbs its steps use."""

    def __init__(self, case: Obj, *, disable: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        off = ["ServiceAccount", "TaintNodesByCondition", *disable]
        self.plane = ControlPlane.open(None, controllers=["kube-scheduler", *others], admission={"disable": off})
        self.uids: dict[tuple[str, str], str] = {}
        for name, labels in NAMESPACES.items():
            self.request("POST", PATHS["Namespace"], named("v1", "Namespace", name, labels=labels), accept=(201, 409))
        for name, value in PRIORITIES.items():
            policy = "Never" if name.endswith("never") else "PreemptLowerPriority"
            obj = named("scheduling.k8s.io/v1", "PriorityClass", name)
            self.create({**obj, "value": value, "preemptionPolicy": policy})
        for runtime in RUNTIMES:
            self.create({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", **runtime})
        for node in case["nodes"]:
            self.create(node)
        for obj in case.get("objects", ()):
            made = self.create(obj)
            meta = made["metadata"]
            self.uids[meta.get("namespace", ""), meta["name"]] = meta["uid"]
            if others:
                self.converge()  # the recording's controllers saw the objects come one after another

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.plane.close()

    def request(
        self, method: str, path: str, body: Any = None, *, type: str = "application/json", accept: Iterable[int] = ()
    ) -> Obj:
        """Send a request; an answer that is neither fine nor in ``accept`` is an error of the replay."""
        response = self.plane.request(method, path, body=body, content_type=type)
        if response.status >= 300 and response.status not in accept:
            raise AssertionError(f"{method} {path}: {response.status} {response.body[:300]!r}")
        answer: Obj = response.json()
        return answer

    def create(self, obj: Obj) -> Obj:
        """POST an object; its status, where the server drops it, is written afterwards."""
        namespace = obj["metadata"].get("namespace") or "default"
        path = PATHS[obj["kind"]].format(namespace)
        made = self.request("POST", path, {"apiVersion": "v1", **obj})
        if obj.get("status") and obj["kind"] != "Node":
            made = self.request(
                "PATCH", f"{path}/{made['metadata']['name']}/status", {"status": obj["status"]}, type=MERGE
            )
        return made

    def create_pod(self, pod: Obj) -> Obj:
        """POST a pod, with the real uids of its owners."""
        meta = pod["metadata"]
        owners = meta.get("ownerReferences")
        if owners:
            namespace = meta.get("namespace") or "default"
            known = [{**o, "uid": self.uids.get((namespace, o["name"]), o["uid"])} for o in owners]
            pod = {**pod, "metadata": {**meta, "ownerReferences": known}}
        return self.create(pod)

    def pod(self, namespace: str, name: str) -> Obj | None:
        """Return a pod, None when there is none."""
        answer = self.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}", accept=(404,))
        return answer if answer["kind"] == "Pod" else None

    def pods(self) -> list[Obj]:
        """Return all pods."""
        found: list[Obj] = self.request("GET", "/api/v1/pods")["items"]
        return found

    def delete_pod(self, namespace: str, name: str, *, now: bool = True) -> None:
        """Delete a pod, at once or with its grace period."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self.request(
            "DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **(NOW if now else {})}, accept=(404,)
        )

    def converge(self) -> None:
        """Let the scheduler work until it rests."""
        self.plane.run()  # nobody reads the report, and to explain every pending pod costs as much again

    def prefer(self, node: str | None) -> None:
        """Let the scheduler take this node wherever it is among the best: the recorded draw.

        Else our own choice would have to be taken back, and a node that a pod has come to and left is not as before:
        its pods have changed, so it learns anew how many nodes have its images.
        """
        loop: Any = next(loop for loop in self.plane.converger.manager.loops if loop.name == "kube-scheduler")
        for scheduler in loop.schedulers.by_name.values():
            scheduler.framework.pick = lambda _uid, best: node if node in best else best[0]

    def bind(self, pod: Obj, node: str) -> None:
        """Put a pod on the recorded node: ours chose another of the best, or none."""
        meta = pod["metadata"]
        namespace = meta.get("namespace") or "default"
        self.delete_pod(namespace, meta["name"])
        self.create_pod({**pod, "spec": {**pod["spec"], "schedulerName": "recorded", "schedulingGates": []}})
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}, "target": {"name": node}}
        self.request("POST", f"/api/v1/namespaces/{namespace}/pods/{meta['name']}/binding", binding)

    def final(self, name: str) -> Obj | None:
        """Return where a preemptor ended."""
        pod = self.pod("default", name)
        if pod is None:
            return None
        return {
            "node": pod["spec"].get("nodeName"),
            "nominated": (pod.get("status") or {}).get("nominatedNodeName"),
        }

    def claims(self) -> Obj:
        """Return phase, volume and selected node of every claim of the default namespace."""
        found = self.listed("PersistentVolumeClaim")
        selected = "volume.kubernetes.io/selected-node"
        return {
            claim["metadata"]["name"]: {
                "phase": (claim.get("status") or {}).get("phase"),
                "volume": claim["spec"].get("volumeName"),
                "selectedNode": (claim["metadata"].get("annotations") or {}).get(selected),
            }
            for claim in found
        }

    def listed(self, kind: str) -> list[Obj]:
        """Return the objects of a kind, those of the default namespace where it has namespaces."""
        found: list[Obj] = self.request("GET", PATHS[kind].format("default"))["items"]
        return found

    def tried(self) -> dict[str, int]:
        """Return how often each pod of the default namespace has been tried."""
        loops = self.plane.converger.manager.loops
        found: dict[Any, int] = next(loop.tried for loop in loops if loop.name == "kube-scheduler")  # type: ignore[attr-defined]
        return {key.name: count for key, count in found.items() if key.namespace == "default"}

    def state(self, namespace: str, name: str) -> Obj | None:
        """Return where a pod is, in the words of the records."""
        pod = self.pod(namespace, name)
        if pod is None:
            return None
        if pod["spec"].get("nodeName"):
            return {"node": pod["spec"]["nodeName"]}
        conditions = (pod.get("status") or {}).get("conditions") or ()
        scheduled: Obj = next((c for c in conditions if c["type"] == "PodScheduled"), {})
        state = {"node": None, "reason": scheduled.get("reason"), "message": scheduled.get("message")}
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        return {**state, "nominated": nominated} if nominated else state


def named(version: str, kind: str, name: str, *, labels: Obj | None = None) -> Obj:
    """Return the head of a cluster-scoped object."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels or {}}}


def cases(folder: Path, name: str) -> Iterator[Obj]:
    """Read a file of cases."""
    with gzip.open(folder / "scheduler" / f"{name}.jsonl.gz", "rt") as lines:
        for line in lines:
            yield json.loads(line)


def change(world: World, step: Obj) -> None:
    """Carry out a step that is not a decision."""
    op, name = step["op"], step.get("name", "")
    namespace = step.get("namespace") or "default"
    match op:
        case "placePod" | "addPod":
            world.create_pod(step["pod"])
        case "deletePod":
            world.delete_pod(namespace, name)
        case "deletePods":
            for one in step["names"]:
                world.delete_pod(namespace, one)
                world.converge()  # the recording's scheduler saw them go one after another
        case "terminatePod":
            world.delete_pod(namespace, name, now=False)
        case "addNode":
            world.create(step["node"])
        case "deleteNode":
            world.request("DELETE", f"/api/v1/nodes/{name}")
        case "patchNode":
            world.request("PATCH", f"/api/v1/nodes/{name}", step["mergePatch"], type=MERGE)
        case "patchNodeStatus":
            world.request("PATCH", f"/api/v1/nodes/{name}/status", step["mergePatch"], type=MERGE)
        case "patchPod":
            world.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", step["mergePatch"], type=MERGE)
        case "addToleration":
            pod = world.pod(namespace, name) or {"spec": {}}
            tolerations = [*(pod["spec"].get("tolerations") or ()), step["toleration"]]
            patch = {"spec": {"tolerations": tolerations}}
            world.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", patch, type=MERGE)
        case _:
            raise AssertionError(f"unknown step {op}")


class Answer(NamedTuple):
    """A decision recorded and ours, by question."""

    question: str
    result: Result


def replay_decisions(case: Obj) -> Iterator[Answer]:
    """Replay one cluster of the scheduler sets."""
    gated: dict[tuple[str, str], Obj] = {}
    with World(case) as world:
        for n, step in enumerate(case["steps"]):
            if step["op"] not in ("pod", "ungate"):
                change(world, step)
                continue
            if step["op"] == "pod":
                pod = step["pod"]
                key = (pod["metadata"].get("namespace") or "default", pod["metadata"]["name"])
                world.create_pod(pod)
            else:
                key = (step["namespace"], step["name"])
                pod = gated.pop(key)
                path = f"/api/v1/namespaces/{key[0]}/pods/{key[1]}"
                world.request("PATCH", path, {"spec": {"schedulingGates": []}}, type=MERGE)
            world.prefer(step["decision"].get("node"))
            world.converge()
            ours = world.state(*key) or {}
            yield from compared(f"{case['id']}/{n}", step, ours, world.plane.scheduling(*key))
            recorded = step["decision"]
            if recorded.get("reason") == "SchedulingGated":
                gated[key] = pod
            elif recorded.get("node"):
                if ours.get("node") != recorded["node"]:
                    world.bind(pod, recorded["node"])
            else:
                world.delete_pod(*key)


def compared(id: str, step: Obj, state: Obj, why: Obj) -> Iterator[Answer]:
    """Compare a decision with the record, question by question."""
    recorded = step["decision"]
    node = state.get("node")
    placed = node in step["top"] if recorded.get("node") else node is None
    yield answer("placement", id, placed, f"{node}, recorded {step.get('top') or recorded}")
    nodes: Obj = why["nodes"]
    if "feasible" in step:
        feasible = sorted(name for name, found in nodes.items() if found["reason"] is None)
        yield answer("feasible", id, feasible == step["feasible"], f"{feasible}, recorded {step['feasible']}")
    if "total" in step:
        ours = {name: (found["total"], found["scores"]) for name, found in nodes.items() if found["reason"] is None}
        scores: Obj = step["scores"]
        theirs = {
            name: (step["total"][n], {plugin: column[n] for plugin, column in scores.items()})
            for n, name in enumerate(step["feasible"])
        }
        different = {name: (ours.get(name), theirs[name]) for name in theirs if ours.get(name) != theirs[name]}
        yield answer("score", id, ours == theirs, f"ours and recorded: {different}")
    if not recorded.get("node"):
        mine, other = (state.get("reason"), state.get("message")), (recorded["reason"], recorded["message"])
        yield answer("message", id, mine == other, f"{mine}, recorded {other}")


def answer(question: str, id: str, passed: bool, why: str) -> Answer:
    """Return an answer; a right one needs no words."""
    return Answer(question, Result(id, passed, "" if passed else why))


def replay_preemption(case: Obj) -> Iterator[Answer]:
    """Replay one case of preemption: what each preemptor decided, who was evicted, where all ended."""
    with World(case) as world:
        for placed in case["placed"]:
            world.create_pod({**placed["pod"], "status": {"phase": "Running", "startTime": placed["startTime"]}})
        for budget in case["pdbs"]:
            world.create(budget)
        going: set[str] = set()
        names: list[str] = []
        for n, step in enumerate(case["steps"]):
            if step["op"] != "pod":
                change(world, step)
                continue
            name = step["pod"]["metadata"]["name"]
            names.append(name)
            world.create_pod(step["pod"])
            world.converge()
            state = world.state("default", name) or {}
            now_going = {p["metadata"]["name"] for p in world.pods() if p["metadata"].get("deletionTimestamp")}
            ours = {**state, "victims": sorted(now_going - going)}
            going = now_going
            theirs = {**step["decision"], "victims": sorted(step.get("victims") or ())}
            yield answer("preemption", f"{case['id']}/{n}", ours == theirs, f"{ours}, recorded {theirs}")
        world.converge()
        final = {name: world.final(name) for name in names}
        yield answer("preemption", f"{case['id']}/final", final == case["final"], f"{final}, recorded {case['final']}")


def replay_requeue(case: Obj) -> Iterator[Answer]:
    """Replay one case of requeueing: who is tried again after each event, and where all pods are then."""
    with World(case) as world:
        for placed in case["placed"]:
            world.create_pod(placed.get("pod", placed))
        world.converge()
        names = []
        for one in case["pending"]:
            world.create_pod(one["pod"])
            names.append(one["pod"]["metadata"]["name"])
            world.converge()
        for n, step in enumerate(case["steps"]):
            before = dict(world.tried())
            change(world, step)
            world.converge()
            attempts = {k: v - before.get(k, 0) for k, v in world.tried().items() if v > before.get(k, 0)}
            after = {name: state for name in names if (state := world.state("default", name)) is not None}
            ours, theirs = (attempts, after), (step["attempts"], step["after"])
            if not case["stable"]:
                ours, theirs = ({}, after), ({}, step["after"])
            yield answer("requeue", f"{case['id']}/{n}", ours == theirs, f"{ours}, recorded {theirs}")


STORAGE = ("persistentvolume-binder-controller", "ephemeral-volume-controller")
"""The controllers that ran beside the scheduler when the volumes were recorded."""
PROVISIONER = "csi.example.com"
ZONE = "topology.kubernetes.io/zone"


def replay_volumes(case: Obj) -> Iterator[Answer]:
    """Replay one case of volumes: where each pod went, and what became of every claim.

    Of nodes that are equally good for us the recorded one is taken, so that claims can be compared; and after each
    comparison the recorded bindings are put in the place of ours, so that each step is judged by itself.
    """
    with World(case, disable=["StorageObjectInUseProtection"], others=STORAGE) as world:
        provide(world)
        same = world.claims() == case["initialClaims"]
        rebind(world, case, case["initialClaims"])
        for n, step in enumerate(case["steps"]):
            if step["op"] == "deleteClaim":
                path = PATHS["PersistentVolumeClaim"].format(step.get("namespace") or "default")
                world.request("DELETE", f"{path}/{step['name']}", accept=(404,))
                continue
            if step["op"] != "pod":
                change(world, step)
                continue
            meta = step["pod"]["metadata"]
            recorded = step["decision"]
            prefer(world, recorded.get("node"))
            world.create_pod(step["pod"])
            provide(world)
            state = world.state(meta.get("namespace") or "default", meta["name"]) or {}
            if recorded.get("node"):
                placed = state.get("node") in step["top"]
            else:
                placed = (state.get("reason"), state.get("message")) == (recorded["reason"], recorded["message"])
            claims = world.claims()
            right = placed and claims == step["claims"] and same
            same = True
            different = {
                name: (claims.get(name), found) for name, found in step["claims"].items() if claims.get(name) != found
            }
            yield answer("volumes", f"{case['id']}/{n}", right, f"{state}, recorded {recorded}; claims {different}")
            if state.get("node") != recorded.get("node") and recorded.get("node"):
                world.bind(step["pod"], recorded["node"])
            rebind(world, case, step["claims"])


def rebind(world: World, case: Obj, recorded: Obj) -> None:
    """Make of claims that ended otherwise what was recorded: made anew, and bound to the recorded volumes."""
    ours = world.claims()
    wrong = [name for name in sorted(recorded) if name in ours and ours[name] != recorded[name]]
    path, volumes = PATHS["PersistentVolumeClaim"].format("default"), PATHS["PersistentVolume"]
    claims = {claim["metadata"]["name"]: claim for claim in world.listed("PersistentVolumeClaim")}
    for name in wrong:
        world.request("DELETE", f"{path}/{name}")
    kept = {
        o["metadata"]["name"]: o["spec"].get("claimRef") for o in case["objects"] if o["kind"] == "PersistentVolume"
    }
    refs = {ours[name]["volume"]: kept.get(ours[name]["volume"]) for name in wrong}
    refs |= {recorded[name]["volume"]: {"namespace": "default", "name": name} for name in wrong}
    for volume in sorted(filter(None, refs)):
        for ref in (None, refs[volume]):
            world.request("PATCH", f"{volumes}/{volume}", {"spec": {"claimRef": ref}}, type=MERGE, accept=(404,))
    for name in wrong:
        wanted = recorded[name]
        meta: Obj = {"name": name, "namespace": "default"}
        owners = claims[name]["metadata"].get("ownerReferences")
        if owners:
            meta["ownerReferences"] = owners
        if wanted["selectedNode"]:
            meta["annotations"] = {"volume.kubernetes.io/selected-node": wanted["selectedNode"]}
        spec = {**claims[name]["spec"], "volumeName": wanted["volume"]}
        world.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    if wrong:
        provide(world)


def prefer(world: World, node: str | None) -> None:
    """Let the scheduler take this node where it is one of the best."""
    loop: Any = next(loop for loop in world.plane.converger.manager.loops if loop.name == "kube-scheduler")
    for scheduler in loop.schedulers.by_name.values():
        scheduler.framework.pick = lambda _uid, best: node if node in best else best[0]


def provide(world: World) -> None:
    """Converge, making the volumes that the recording's external provisioner made."""
    world.converge()
    while wanted := [claim for claim in world.listed("PersistentVolumeClaim") if awaits_volume(world, claim)]:
        for claim in wanted:
            world.create(provided(world, claim))
        world.converge()


def awaits_volume(world: World, claim: Obj) -> bool:
    """Say whether a claim has been handed to the provisioner, which has not served it yet."""
    notes = claim["metadata"].get("annotations") or {}
    if claim["spec"].get("volumeName") or notes.get("volume.kubernetes.io/storage-provisioner") != PROVISIONER:
        return False
    made = {volume["metadata"]["name"] for volume in world.listed("PersistentVolume")}
    return "volume.kubernetes.io/selected-node" in notes and f"dyn-{claim['metadata']['name']}" not in made


def provided(world: World, claim: Obj) -> Obj:
    """Return the volume that the provisioner makes: in the zone of the selected node."""
    meta, spec = claim["metadata"], claim["spec"]
    node = world.request("GET", f"{PATHS['Node']}/{meta['annotations']['volume.kubernetes.io/selected-node']}")
    zone = (node["metadata"].get("labels") or {}).get(ZONE)
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}]
    place = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}} if zone else {}
    ref = {"kind": "PersistentVolumeClaim", "apiVersion": "v1"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"dyn-{meta['name']}",
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "capacity": spec["resources"]["requests"],
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
            "csi": {"driver": PROVISIONER, "volumeHandle": f"dyn-{meta['name']}"},
            "claimRef": {**ref, "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
            **place,
        },
    }


@cache
def decisions(folder: Path, limit: int | None = None) -> tuple[Answer, ...]:
    """Replay the scheduler sets (of each file the first ``limit`` clusters): one replay answers all questions."""
    return tuple(
        found
        for name in ("scheduler", "scheduler-affinity")
        for case in islice(cases(folder, name), limit)
        for found in guarded(case, replay_decisions)
    )


def guarded(case: Obj, replay: Callable[[Obj], Iterator[Answer]]) -> Iterator[Answer]:
    """Replay a case; when the plane fails in the middle, everything it still had to answer is wrong."""
    done: set[tuple[str, str]] = set()
    try:
        for found in replay(case):
            done.add((found.question, found.result.id))
            yield found
    except AssertionError as error:
        for question, asked in expected(case):
            if (question, asked) not in done:
                yield answer(question, asked, False, f"the replay broke: {error}")


def expected(case: Obj) -> Iterator[tuple[str, str]]:
    """Name the questions of a case."""
    asked: dict[str, bool]
    for n, step in enumerate(case["steps"]):
        if "attempts" in step:
            asked = {"requeue": True}
        elif "victims" in step:
            asked = {"preemption": True}
        elif "claims" in step:
            asked = {"volumes": True}
        elif "decision" in step:
            asked = {"placement": True, "feasible": "feasible" in step, "score": "total" in step}
            asked["message"] = not step["decision"].get("node")
        else:
            continue
        yield from ((question, f"{case['id']}/{n}") for question, yes in asked.items() if yes)
    if "final" in case:
        yield "preemption", f"{case['id']}/final"


def about(question: str) -> Callable[[Path], Iterable[Result]]:
    """Return the set of one question."""
    return lambda folder: (found.result for found in decisions(folder) if found.question == question)


def of_file(name: str, replay: Callable[[Obj], Iterator[Answer]]) -> Callable[[Path], Iterable[Result]]:
    """Return the set that is one file; cases that two recordings did not agree on are left out."""

    def results(folder: Path) -> Iterator[Result]:
        for case in cases(folder, name):
            if case.get("stable", True) or case.get("stableOutcome"):
                yield from (found.result for found in guarded(case, replay))

    return results


SETS: dict[str, Callable[[Path], Iterable[Result]]] = {
    "placement": about("placement"),
    "feasible": about("feasible"),
    "score": about("score"),
    "message": about("message"),
    "preemption": of_file("preemption", replay_preemption),
    "volumes": of_file("volumes", replay_volumes),
    "requeue": of_file("requeue", replay_requeue),
}
