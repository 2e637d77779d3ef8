"""Plays a recorded controller scenario on a ControlPlane, with the fake kubelet of the recording.

In: a case of ``controllers/*.jsonl.gz`` (form: README of the recordings). Out: per step the
trace, the state of the namespace and the error, with placeholders as recorded. Only the
controller manager's loops and the scheduler run; kubelets, metrics and provisioners are this
module's fakes, as they were in the recording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from kctl import ControlPlane
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.api.registry import builtin
from tests.oracle.heartbeats import NEVER_LOST, NODE_FLAGS, Heartbeats
from tests.oracle.merging import merged

Obj = dict[str, Any]
NS = "oracle-ns"
NODES = tuple(f"general-{n}" for n in range(4))
ZONE = "zone-general"
WINDOWS = {"job": 1.3, "cron": 1.3, "gc-cron": 1.3, "svc": 1.6, "node": 0.6}
READING = 0.3
"""Seconds the recorder took to read the state after a step: what was due went on meanwhile."""
MAX_ACTIONS = 400
MINUTES = re.compile(r"(?<=cron-)\d{8}")
QUIET = frozenset(("events", "leases.coordination.k8s.io"))


class Scenario(Heartbeats):
    """One case on one plane."""

    def __init__(self, case: Obj) -> None:
        from kctl.controllers import ALL

        self.case = case
        self.window = next((w for prefix, w in WINDOWS.items() if case["id"].startswith(prefix)), 0.35)
        flags = NODE_FLAGS if case["id"].startswith("node-") else NEVER_LOST
        self.plane = ControlPlane.open(None, controllers=[*ALL, "kube-scheduler"], flags=flags)
        self.client = self.plane.client
        self.order: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.started: set[str] = set()
        self.done: set[str] = set()
        self.stopped: set[str] = set()
        self.beating = {}
        self.made_at: dict[str, int] = {}
        self.silent = set()
        self.addresses = 0
        self.hashes: dict[str, str] = {}
        self.revisions: dict[str, str] = {}
        self.uids: dict[str, tuple[str, str]] = {}
        self.bases: set[str] = set()
        self.sizes: list[tuple[str, int | None]] = []
        self.last_write = 0.0
        self._watches: dict[str, Any] = {}
        self._made: set[tuple[str, str]] = set()
        self._set_up()

    def _set_up(self) -> None:
        for name in NODES if not self.case["id"].startswith(("ds-", "node-")) else ():
            self._create(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": ZONE}},
                    "status": {
                        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
                        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
                        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                    },
                }
            )
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
        self._made.clear()
        if self.case["id"].startswith("cron"):
            self._advance(
                36_000
            )  # virtual time begins at New Year, when yearly schedules are due; recorded time did not
        self.plane.converger.manager.observe(self._observe)
        self.quiesce()

    def close(self) -> None:
        """Let go of the plane."""
        self.plane.close()

    def _observe(self, event: Any) -> None:
        """Note what the recording noted: sizes in the order written, hashes and revisions by age."""
        obj = event.object
        meta = obj["metadata"]
        if meta.get("namespace", NS) != NS or event.resource in QUIET:
            return
        self.last_write = self.plane.now
        self.uids[meta["uid"]] = (obj["kind"], meta["name"])
        if meta.get("generateName"):
            self.bases.add(meta["generateName"])
        if event.resource == "pods" and event.type == "ADDED":
            self.made_at[meta["uid"]] = len(self.made_at)
        if event.resource == "replicasets.apps":
            self._note_replicaset(event, obj)
        if event.resource == "controllerrevisions.apps" and event.type == "ADDED":
            mark = meta["name"].rsplit("-", 1)[-1]
            self.revisions.setdefault(mark, f"<c{len(self.revisions) + 1}>")

    def _note_replicaset(self, event: Any, obj: Obj) -> None:
        mark = (obj["metadata"].get("labels") or {}).get("pod-template-hash")
        if mark:
            self.hashes.setdefault(mark, f"<h{len(self.hashes) + 1}>")
        self.bases.add(obj["metadata"]["name"] + "-")
        before = None if event.type == "ADDED" else (event.old or {}).get("spec", {}).get("replicas")
        if event.type == "DELETED":
            self.sizes.append((obj["metadata"]["name"], None))
        elif before != obj["spec"]["replicas"]:
            self.sizes.append((obj["metadata"]["name"], obj["spec"]["replicas"]))

    def _advance(self, seconds: float) -> None:
        self.plane.commit()
        self.plane.run(advance=seconds)

    def quiesce(self) -> None:
        """Let the loops run until nothing was written for the window; time passes."""
        self.last_write = self.plane.now
        for _ in range(2000):
            left = self.last_write + self.window - self.plane.now
            if left <= 0:
                break
            self._advance(left)

    def _age(self, pod: Obj) -> tuple[Any, ...]:
        meta = pod["metadata"]
        refs = meta.get("ownerReferences") or [{}]
        mark = (meta.get("labels") or {}).get("pod-template-hash", "")
        rank = list(self.hashes).index(mark) if mark in self.hashes else -1
        kind = refs[0].get("kind", "")
        # A DaemonSet makes the pods of its nodes one after the other, and gives them names at random.
        return (rank, kind, self.made_at.get(meta["uid"], 0) if kind == "DaemonSet" else 0, meta["name"])

    def pods(self) -> list[Obj]:
        """Return the pods of the case."""
        return list(self.client.list("pods", NS).items)

    # The fake kubelet.

    def possible(self) -> list[tuple[str, Obj]]:
        """Return what the kubelet could do now, in the order it does it."""
        for pod in sorted(self.pods(), key=self._age):
            self.order.setdefault(pod["metadata"]["uid"], len(self.order))
            if pod["metadata"].get("deletionTimestamp"):
                self.ends.setdefault(pod["metadata"]["uid"], len(self.ends))
        stops, starts = [], []
        for pod in sorted(self.pods(), key=lambda pod: self.order.get(pod["metadata"]["uid"], 0)):
            meta, uid = pod["metadata"], pod["metadata"]["uid"]
            if pod["spec"].get("nodeName", "") in ("", *self.silent):
                continue
            image = pod["spec"]["containers"][0]["image"]
            if meta.get("deletionTimestamp"):
                slow = "sim/slow-stop" in (meta.get("annotations") or {})
                if not slow and uid not in self.stopped:
                    stops.append(("stop", pod))
            elif uid not in self.started:
                starts.append(("start", pod))
            elif image.startswith(("sim/succeed", "sim/fail-")) and uid not in self.done:
                starts.append(("finish", pod))
        stops.sort(key=lambda found: self.ends[found[1]["metadata"]["uid"]])
        return [*starts, *stops] if self.case.get("options", {}).get("ready_first") else [*stops, *starts]

    def do(self, action: str, pod: Obj) -> None:
        """Do one kubelet action."""
        meta = pod["metadata"]
        image = pod["spec"]["containers"][0]["image"]
        key = Key(NS, meta["name"])
        if action == "stop":
            self.stopped.add(meta["uid"])
            if meta.get("finalizers"):
                self._set_phase(pod, "Failed", 137)
            self._quietly(lambda: self.client.delete("pods", key, grace=0))
        elif action == "start":
            self.started.add(meta["uid"])
            self._start(pod, image)
        else:
            self.done.add(meta["uid"])
            failed = image.startswith("sim/fail-")
            code = int(image.split(":")[0].removeprefix("sim/fail-")) if failed else 0
            self._set_phase(pod, "Failed" if failed else "Succeeded", code)

    def _start(self, pod: Obj, image: str) -> None:
        if image.startswith("sim/bad"):
            self._ready(pod, False, "Pending", waiting="ImagePullBackOff")
        elif image.startswith("sim/crash"):
            self._ready(pod, False, "Running", waiting="CrashLoopBackOff")
        else:
            self._ready(pod, not image.startswith("sim/notready"), "Running")

    def _ready(self, pod: Obj, ready: bool, phase: str, *, waiting: str = "") -> None:
        reason = {} if ready else {"reason": "ContainersNotReady"}
        name = pod["spec"]["containers"][0]["name"]
        state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": rfc3339(self.plane.now)}}
        self._pod_status(
            pod,
            {
                "phase": phase,
                **self._address(pod),
                "startTime": rfc3339(self.plane.now),
                "containerStatuses": [
                    {
                        "name": name,
                        "ready": ready,
                        "started": not waiting,
                        "restartCount": 0,
                        "image": pod["spec"]["containers"][0]["image"],
                        "imageID": "",
                        "state": state,
                    }
                ],
            },
            {
                "Initialized": {"status": "True"},
                "Ready": {"status": "True" if ready else "False", **reason},
                "ContainersReady": {"status": "True" if ready else "False", **reason},
            },
        )

    def _address(self, pod: Obj) -> Obj:
        if (pod.get("status") or {}).get("podIP"):
            return {}
        self.addresses += 1
        address = f"10.200.{self.addresses // 250}.{self.addresses % 250 + 1}"
        return {"podIP": address, "podIPs": [{"ip": address}]}

    def _set_phase(self, pod: Obj, phase: str, code: int) -> None:
        reason = "PodFailed" if phase == "Failed" else "PodCompleted"
        name = pod["spec"]["containers"][0]["name"]
        ended = {"exitCode": code, "finishedAt": rfc3339(self.plane.now), "startedAt": rfc3339(self.plane.now)}
        status = {
            "name": name,
            "ready": False,
            "restartCount": 0,
            "image": pod["spec"]["containers"][0]["image"],
            "imageID": "",
            "state": {"terminated": ended},
        }
        conditions = {name: {"status": "False", "reason": reason} for name in ("Ready", "ContainersReady")}
        self._pod_status(pod, {"phase": phase, "containerStatuses": [status]}, conditions)

    def _pod_status(self, pod: Obj, status: Obj, conditions: dict[str, Obj]) -> None:
        key = Key(NS, pod["metadata"]["name"])
        try:
            fresh = self.client.get("pods", NS, key.name)
        except StatusError:
            return
        known = {found["type"]: found for found in (fresh.get("status") or {}).get("conditions") or ()}
        for type_, wanted in conditions.items():
            old = known.get(type_)
            since = old.get("lastTransitionTime") if old and old["status"] == wanted["status"] else None
            known[type_] = {"type": type_, "lastTransitionTime": since or rfc3339(self.plane.now), **wanted}
        body = {"status": {**status, "conditions": list(known.values())}}
        self._quietly(lambda: self.client.patch("pods", key, body, subresource="status"))

    @staticmethod
    def _quietly(call: Callable[[], Any]) -> None:
        try:
            call()
        except StatusError as error:
            if error.reason != "NotFound":
                raise

    def linger(self) -> None:
        """Let a pod be bound whose volumes were bound at the last moment: the recording still heard of that event."""
        if any(not pod["spec"].get("nodeName") and not pod["status"].get("conditions") for pod in self.pods()):
            self._advance(1.0)
        self._advance(READING)

    # Steps.

    def play(self, step: Obj) -> Obj:
        """Do one recorded step; return what there was to see."""
        op = step["do"]
        out: Obj = {}
        self.errors: list[Obj] = []
        self.responses: list[Obj] = []
        self.sizes = []
        self._advance(READING)
        if op["op"] == "patch" and op["kind"] == "Deployment":
            self._advance(1.1)
        try:
            getattr(self, f"_op_{op['op']}")(op)
        except StatusError as error:
            self._refused(error)
        if self.errors:
            out["error"] = self.errors
        if self.responses:
            out["responses"] = self.responses
        then = op.get("then") or "settle"
        if then == "lockstep":
            out["trace"] = self._lockstep(op.get("max", MAX_ACTIONS))
        elif then == "until":
            if not self._until(op):
                out["timedout"] = True
            self._settle()
        elif then == "quiet":
            self.quiesce()
        else:
            self._settle()
        return out

    def _settle(self) -> None:
        self.quiesce()
        for _ in range(MAX_ACTIONS):
            todo = self.possible()
            if not todo:
                return
            for action, pod in todo:
                self.do(action, pod)
            self.quiesce()

    def _lockstep(self, most: int) -> list[Obj]:
        self.quiesce()
        trace = [self._moment("write")]
        for _ in range(most):
            todo = self.possible()
            if not todo:
                break
            action, pod = todo[0]
            self.sizes = []
            self.do(action, pod)
            self.quiesce()
            trace.append(self._moment({"kubelet": action, "pod": self.shown(pod["metadata"]["name"])}))
        return trace

    def _moment(self, after: Any) -> Obj:
        counts: dict[str, Obj] = {}
        for pod in self.pods():
            refs = [ref for ref in pod["metadata"].get("ownerReferences") or () if ref.get("controller")]
            owner = self.shown(refs[0]["name"]) if refs else "-"
            count = counts.setdefault(owner, {"active": 0, "ready": 0, "terminating": 0})
            terminal = pod["status"].get("phase") in ("Succeeded", "Failed")
            if pod["metadata"].get("deletionTimestamp"):
                count["terminating"] += 1
            elif not terminal:
                count["active"] += 1
                conditions = pod["status"].get("conditions") or ()
                count["ready"] += any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        replicas = [[self.shown(name), size] for name, size in self.sizes]
        return {"after": after, "replicas": replicas, "pods": counts}

    def _until(self, op: Obj) -> bool:
        deadline = self.plane.now + op.get("timeout", 30)
        while self.plane.now < deadline:
            self._beat()
            for action, pod in self.possible():
                self.do(action, pod)
            self._advance(0.1)
            if self._holds(op["until"]):
                return True
        return False

    def _holds(self, condition: str) -> bool:
        if condition in ("progressFalse", "available"):
            (deployment,) = self.client.list("deployments.apps", NS).items
            status = deployment.get("status") or {}
            if condition == "available":
                return bool(status.get("availableReplicas") == deployment["spec"]["replicas"])
            progressing = (c for c in status.get("conditions") or () if c["type"] == "Progressing")
            return any(c["status"] == "False" for c in progressing)
        if condition == "nsGone":
            return not any(ns["metadata"]["name"] == NS for ns in self.client.list("namespaces").items)
        if condition in ("nodeReady", "nodeNotReady"):
            return self._has_node_status(condition)
        if condition == "hpaCond":
            found = self.client.list("horizontalpodautoscalers.autoscaling", NS).items
            said = [c["type"] for hpa in found for c in (hpa.get("status") or {}).get("conditions") or ()]
            return "ScalingActive" in said
        jobs = self.client.list("jobs.batch", NS).items
        if condition == "jobGone":
            return not jobs
        if condition == "jobDone":
            done = [c for job in jobs for c in (job.get("status") or {}).get("conditions") or ()]
            return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in done)
        return condition in ("jobExists", "jobs2") and len(jobs) >= (2 if condition == "jobs2" else 1)

    def _fill(self, value: Any) -> Any:
        """Return a recorded input with its placeholders filled in."""
        text = json.dumps(value).replace("<ns>", NS)
        for uid, (kind, name) in self.uids.items():
            text = text.replace(f"{{uid:{kind}/{name}}}", uid)
        return json.loads(text)

    def _create(self, obj: Obj) -> None:
        kind = builtin().by_kind(obj["apiVersion"], obj["kind"])
        assert kind is not None, obj["kind"]
        if kind.namespaced:
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": NS}}
        made = self.client.create(kind.resource, obj)
        self.uids[made["metadata"]["uid"]] = (obj["kind"], made["metadata"]["name"])
        beats = self.case["id"].startswith("node-")  # nodes of the other sets only have what they are made with
        if obj["kind"] == "Node" and beats and (obj.get("status") or {}).get("conditions"):
            self.beating[obj["metadata"]["name"]] = self.plane.now
        if not kind.namespaced:
            self._made.add((kind.resource, made["metadata"]["name"]))
        if obj.get("status"):
            status = {**(made.get("status") or {}), **obj["status"]}
            self.client.update(kind.resource, {**made, "status": status}, subresource="status")

    def _target(self, op: Obj) -> tuple[str, Key]:
        kind = next(kind for kind in builtin().all() if kind.kind == op["kind"])
        return kind.resource, Key(NS if kind.namespaced else "", self._fill(op["name"]))

    def _refused(self, error: StatusError) -> None:
        self.errors.append({"code": error.code, "reason": error.reason, "message": self.shown(error.message)})

    def _op_apply(self, op: Obj) -> None:
        for obj in op["objects"]:
            try:
                self._create(self._fill(obj))
            except StatusError as error:
                self._refused(error)
            if obj is not op["objects"][-1]:
                self._advance(0.0)  # the recorded controllers went on between two requests

    def _op_patch(self, op: Obj) -> None:
        resource, key = self._target(op)
        patch, how = self._fill(op["patch"]), "strategic" if op.get("strategic") else "merge"
        try:
            self.client.patch(resource, key, patch, type=how, subresource=op.get("sub", ""))
        except StatusError as error:
            if error.reason != "UnsupportedMediaType":
                raise
            # The recording patched strategically; what is tested here is what controllers make of the result.
            self.client.update(resource, merged(self.client.get(resource, *key), patch))

    def _op_patchStatus(self, op: Obj) -> None:
        resource, key = self._target(op)
        text = json.dumps(self._fill(op["patch"])).replace("{now-}", rfc3339(self.plane.now - op.get("ago", 0)))
        how = "strategic" if op.get("strategic") else "merge"
        self.client.patch(resource, key, json.loads(text), type=how, subresource="status")

    def _op_delete(self, op: Obj) -> None:
        resource, key = self._target(op)
        self.client.delete(resource, key, grace=op.get("grace"), propagation=op.get("policy"))

    def _op_sleep(self, op: Obj) -> None:
        end = self.plane.now + op["seconds"]
        while self.plane.now < end:
            self._beat()
            for action, pod in self.possible():
                self.do(action, pod)
            self._advance(min(0.2, end - self.plane.now))

    def _op_pod(self, op: Obj) -> None:
        named = [pod for pod in self.pods() if pod["metadata"]["name"].startswith(self._fill(op["prefix"]))]
        if op["action"] in ("succeed", "fail"):  # what has ended does not end again
            named = [pod for pod in named if pod["status"].get("phase") not in ("Succeeded", "Failed")]
        named.sort(key=lambda pod: (pod["metadata"].get("generateName", pod["metadata"]["name"]), self._since(pod)))
        for index in filter(range(len(named)).__contains__, op["index"]):
            self._pod_action(op, named[index])
            if op.get("each"):
                self.quiesce()

    def _since(self, pod: Obj) -> tuple[str, int]:
        return pod["metadata"]["creationTimestamp"], self.order.get(pod["metadata"]["uid"], len(self.order))

    def _pod_action(self, op: Obj, pod: Obj) -> None:
        key, action = Key(NS, pod["metadata"]["name"]), op["action"]
        if action in ("start", "ready", "unready"):
            self.started.add(pod["metadata"]["uid"])
            self._ready(pod, action != "unready", "Running")
        elif action in ("succeed", "fail"):
            self.done.add(pod["metadata"]["uid"])
            self._set_phase(pod, "Succeeded" if action == "succeed" else "Failed", op.get("code", 0))
        elif action == "delete":
            # The recorder did not send a grace period of 0: its pod stays where a real server removes it at once.
            self.client.delete("pods", key, grace=op.get("grace") or None)
        elif action in ("label", "annotate"):
            field = "labels" if action == "label" else "annotations"
            self.client.patch("pods", key, {"metadata": {field: op[field]}})
        else:
            self._evict(key)

    def _evict(self, key: Key) -> None:
        try:
            self.client.evict(key)
        except StatusError as error:
            answer: Obj = {"code": error.code}
            if error.reason:
                answer["reason"] = error.reason
            answer["message"] = error.message
            if (error.details or {}).get("causes"):
                answer["details"] = {"causes": (error.details or {})["causes"]}
            self.responses.append(answer)
        else:
            self.responses.append({"code": 201})
        self._advance(0.01)  # the recorded controllers went on between two requests

    # What is seen, in the words of the recording.

    def shown(self, text: str) -> str:
        """Return a text with what is particular to this run replaced by placeholders."""
        for base in sorted(self.bases, key=len, reverse=True):
            text = re.sub(re.escape(base) + r"[bcdfghjklmnpqrstvwxz2456789]{5}(?![-\w])", base + "<x>", text)
        for mark, shown in {**self.hashes, **self.revisions}.items():
            text = re.sub(rf"(?<![\w]){re.escape(mark)}(?![\w])", shown, text)
        if "cron" in self.case["id"]:
            text = MINUTES.sub("<minutes>", text)
        for name in NODES:
            text = text.replace(name, "<node>")
        return text.replace(ZONE, "<zone>").replace(NS, "<ns>")

    def made(self) -> set[tuple[str, str]]:
        """Return the cluster-scoped objects the case created."""
        return set(self._made)
