"""What the events of scenarios do to the cluster.

In: the steps that are due. Out: writes through the client, and the scenario's status afterwards: what was done,
what could not be and why, which drains wait for which pods, which loads are on.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kctl.api import behaviour
from kctl.api.clock import rfc3339
from kctl.api.errors import KctlError, StatusError
from kctl.api.objects import Key, Obj, annotations_of, dig, key_of
from kctl.api.registry import builtin
from kctl.api.scenario.matching import kind_of
from kctl.api.scenario.model import Event, Target
from kctl.api.scenario.steps import Step, is_in_zone
from kctl.plane.player import INSTANCES, Act, is_evictable

if TYPE_CHECKING:
    from kctl.client.client import Client

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
SCALABLE = ("deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers")


class _Failed(Exception):
    """An event could not happen."""


def status_after(client: Client, act: Act, now: float) -> Obj:
    """Do what is due and return the scenario's status."""
    status: Obj = dict(act.played.obj.get("status") or {})
    if act.begin is not None:
        return {**status, "startedAt": rfc3339(act.begin), "done": 0}
    started = act.played.started or now
    log, draining = list(status.get("log") or ()), list(status.get("draining") or ())
    loads = dict(status.get("loads") or {})
    tries = set(act.drains)
    for step in act.steps:
        entry: Obj = {"at": round(step.at, 3), "what": step.text}
        try:
            _do(client, act, step, now, draining, loads)
        except (_Failed, StatusError, KctlError) as error:
            entry["error"] = getattr(error, "message", None) or str(error)
        if step.event.what == "drain" and not step.is_end:
            tries.update(entry["node"] for entry in draining)
        log.append(entry)
    draining = [_try(client, act, entry, now) if entry["node"] in tries else entry for entry in draining]
    status |= {"done": act.played.done + len(act.steps), "log": log}
    for name, value in (("draining", [entry for entry in draining if entry is not None]), ("loads", loads)):
        if value:
            status[name] = value
        else:
            status.pop(name, None)
    status["elapsed"] = max(round(now - started, 3), 0.0) if act.steps else status.get("elapsed", 0.0)
    return status


def _do(client: Client, act: Act, step: Step, now: float, draining: list[Obj], loads: dict[str, float]) -> None:
    event = step.event
    if event.scope in ("node", "zone"):
        for node in nodes_of(event, act.nodes):
            _node(client, node, step, now, draining)
    elif event.scope == "load":
        target = event.target or Target("service", "")
        namespace = target.namespace or act.played.scenario.namespace
        name = f"{namespace}/{kind_of(target.kind)}/{target.name}"
        loads.pop(name, None)
        if not step.is_end and event.number:
            loads[name] = event.number
            client.get(*_located(target, namespace))  # what is not there yet may come: the load waits, and is said
    else:
        _object(client, event, act.played.scenario.namespace, now)


def _located(target: Target, namespace: str) -> tuple[str, str, str]:
    resource, key = place_of(target, namespace)
    return resource, key.namespace, key.name


def nodes_of(event: Event, nodes: Sequence[Obj]) -> list[Obj]:
    """Return the nodes an event speaks of; _Failed when there is none."""
    if event.scope == "zone":
        found = [node for node in nodes if is_in_zone(node, event.subject)]
    else:
        found = [node for node in nodes if fnmatchcase(node["metadata"]["name"], event.subject)]
    if not found:
        raise _Failed(f"there is no {event.scope} {event.subject}")
    return found


def _node(client: Client, node: Obj, step: Step, now: float, draining: list[Obj]) -> None:
    what, key = step.event.what, key_of(node)
    if step.is_end:
        what = {
            "die": "recover",
            "shutdown": "recover",
            "isolate": "recover",
            "drain": "uncordon",
            "cordon": "uncordon",
            "pressure": "relieve",
        }[what]
    boot = f"{step.event.place}-{step.at:g}s"
    match what:
        case "die":
            _annotate(client, key, {behaviour.STATE: "dead"})
        case "isolate":
            _annotate(client, key, {behaviour.STATE: "kubelet-stopped"})
        case "shutdown":
            grace = step.event.detail or annotations_of(node).get(behaviour.SHUTDOWN_GRACE)
            _annotate(client, key, {behaviour.SHUTDOWN: grace} if grace else {behaviour.STATE: "dead"})
        case "reboot":
            _annotate(client, key, {behaviour.BOOT: boot})
        case "recover":
            is_off = behaviour.SHUTDOWN in annotations_of(node) and behaviour.silent_since(node) is not None
            was_dead = annotations_of(node).get(behaviour.STATE) == "dead" or is_off
            names = (behaviour.STATE, behaviour.PRESSURE, behaviour.SHUTDOWN)
            changes: dict[str, str | None] = {name: None for name in names if name in annotations_of(node)}
            _annotate(client, key, changes | ({behaviour.BOOT: boot} if was_dead else {}))
        case "pressure":
            known = [word for word in annotations_of(node).get(behaviour.PRESSURE, "").split(",") if word]
            _annotate(client, key, {behaviour.PRESSURE: ",".join(dict.fromkeys([*known, step.event.detail]))})
        case "relieve":
            known = [word for word in annotations_of(node).get(behaviour.PRESSURE, "").split(",") if word]
            left = ",".join(word for word in known if word != step.event.detail)
            _annotate(client, key, {behaviour.PRESSURE: left or None})
        case "cordon" | "uncordon":
            client.patch("nodes", key, {"spec": {"unschedulable": True if what == "cordon" else None}})
            if what == "uncordon":
                draining[:] = [entry for entry in draining if entry["node"] != key.name]
        case "drain":
            client.patch("nodes", key, {"spec": {"unschedulable": True}})
            if all(entry["node"] != key.name for entry in draining):
                draining.append({"node": key.name, "since": now})
        case "terminate":
            _terminate(client, node)


def _annotate(client: Client, key: Key, annotations: dict[str, Any] | dict[str, str | None]) -> None:
    client.patch("nodes", key, {"metadata": {"annotations": annotations}})


def _terminate(client: Client, node: Obj) -> None:
    """Take the machine away; its node goes with it where no cloud's controllers look after that."""
    name = node["metadata"]["name"]
    machines = [
        m for m in client.list(INSTANCES).items if (dig(m, "spec", "nodeName") or m["metadata"]["name"]) == name
    ]
    _annotate(client, Key("", name), {behaviour.STATE: "dead"})
    for machine in machines:
        client.delete(INSTANCES, key_of(machine))
    if not machines or all(dig(m, "spec", "provider") in (None, "none") for m in machines):
        client.delete("nodes", Key("", name))


def _object(client: Client, event: Event, namespace: str, now: float) -> None:
    target = event.target or Target("", "")
    if event.what == "apply":
        return _apply(client, event.body, namespace)
    resource, key = place_of(target, namespace)
    match event.what:
        case "scale":
            if resource not in SCALABLE:
                raise _Failed(f"{target.kind} cannot be scaled")
            client.patch(resource, key, {"spec": {"replicas": int(event.number)}})
        case "delete":
            client.delete(resource, key, propagation="Background")
        case "restart":
            changed = {"metadata": {"annotations": {RESTARTED_AT: rfc3339(now)}}}
            client.patch(resource, key, {"spec": {"template": changed}})
        case "patch":
            client.patch(resource, key, event.body)
    return None


def place_of(target: Target, namespace: str) -> tuple[str, Key]:
    """Return resource and key of an object; kinds of custom resources are written as ``plural.group``."""
    kind = builtin().find(target.kind)
    if kind is None:
        if "." not in target.kind:
            raise _Failed(f'there is no kind "{target.kind}"')
        return target.kind, Key(target.namespace or namespace, target.name)
    return kind.resource, Key((target.namespace or namespace) if kind.namespaced else "", target.name)


def _apply(client: Client, body: Obj, namespace: str) -> None:
    kind = builtin().by_kind(body["apiVersion"], body["kind"])
    if kind is None:
        raise _Failed(f"{body['apiVersion']} {body['kind']} is no built-in kind: scenarios apply those alone")
    meta = body["metadata"]
    if kind.namespaced and not meta.get("namespace"):
        body = {**body, "metadata": {**meta, "namespace": namespace}}
    client.apply(kind.resource, body, field_manager="kctl", force=True)


def _try(client: Client, act: Act, entry: Obj, now: float) -> Obj | None:
    """Evict what is left on a node; return what the drain waits for, None when it is over."""
    waiting = []
    for pod in act.pods:
        if pod["spec"].get("nodeName") != entry["node"] or not is_evictable(pod):
            continue
        key = key_of(pod)
        try:
            client.evict(key)
        except StatusError as error:
            if error.reason == "NotFound":
                continue
            waiting.append({"namespace": key.namespace, "name": key.name, "message": error.message})
    if not waiting:
        return None
    return {"node": entry["node"], "since": entry["since"], "waiting": waiting}
