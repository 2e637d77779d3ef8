"""The oracle sets of controllers: rollouts, controllers, nodes.

Each case is played step by step (:mod:`tests.oracle.scenario`) and compared whole: errors,
traces, state of the namespace, events. Nothing is left out but what the recording itself calls
unstable. A case whose controllers are not built yet fails as any other.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kctl.api.registry import builtin
from tests.oracle import Result
from tests.oracle.scenario import NS, Obj, Scenario

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
WITHOUT_GENERATION = frozenset(
    (
        "configmaps",
        "controllerrevisions",
        "endpoints",
        "endpointslices",
        "horizontalpodautoscalers",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "storageclasses",
    )
)
DEFAULT_OBJECTS = {"serviceaccounts": "default", "configmaps": "kube-root-ca.crt"}
KEPT = {
    "controllerrevisions": ("revision",),
    "endpoints": ("subsets",),
    "endpointslices": ("addressType", "endpoints", "ports"),
}
"""Kinds of which the recording keeps these fields, null where there is none."""
COMBINED = "(combined from similar events): "
"""What the recorder puts before the tenth message of a kind; the recording does not keep it."""
OWN = ("kctl.dev/", "sim.kctl.dev/")
"""What kctl notes in annotations upstream remembers in memory."""
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


def run(name: str) -> Callable[[Path], Iterable[Result]]:
    """Return the runner of a set."""

    def results(folder: Path) -> Iterable[Result]:
        with gzip.open(folder / "controllers" / f"{name}.jsonl.gz", "rt") as lines:
            for line in lines:
                case = json.loads(line)
                try:
                    why = check(case)
                except Exception as error:
                    why = f"{type(error).__name__}: {error}"
                yield Result(case["id"], not why, why)

    return results


SETS = {name: run(name) for name in ("rollouts", "controllers", "nodes")}


def check(case: Obj) -> str:
    """Play a case; return the first difference, "" for none."""
    scenario = Scenario(case)
    try:
        return _check(case, scenario)
    finally:
        scenario.close()


def _check(case: Obj, scenario: Scenario) -> str:
    unstable = set(case["unstable"])
    for number, step in enumerate(case["steps"]):
        seen = scenario.play(step)
        if "state" in step:
            seen["state"] = state(scenario, case)
        for part in ("error", "trace", "timedout", "responses", "state"):
            path = f"steps/{number}/{part}"
            if path in unstable:
                continue
            if part == "state":
                why = _compare_state(path, step.get(part), seen.get(part), unstable)
            elif part == "trace":
                why = _compare_trace(path, step.get(part), seen.get(part))
            else:
                why = "" if step.get(part) == seen.get(part) else f"{path}: {seen.get(part)} is not {step.get(part)}"
            if why:
                return why
    if "events" in unstable:
        return ""
    scenario.linger()
    return _compare_events(case, scenario)


def _compare_state(path: str, wanted: Any, seen: Any, unstable: set[str]) -> str:
    if wanted is None:
        return ""
    for resource in sorted(wanted.keys() | seen.keys()):
        place = f"{path}/{resource}"
        if place in unstable:
            continue
        want, have = ordered(wanted.get(resource, [])), ordered(seen.get(resource, []))
        if want != have:
            return difference(place, want, have)
    return ""


def _compare_trace(path: str, wanted: Any, seen: Any) -> str:
    if wanted is None and seen is None:
        return ""
    for n, (want, have) in enumerate(zip(wanted or [], seen or [], strict=False)):
        if want != have:
            return difference(f"{path}/{n}", want, have)
    return "" if len(wanted or []) == len(seen or []) else f"{path}: {len(seen or [])} moments, not {len(wanted or [])}"


def _compare_events(case: Obj, scenario: Scenario) -> str:
    loose = {json.dumps(event, sort_keys=True) for event in case.get("eventsUnstable") or ()}
    wanted = {json.dumps(event, sort_keys=True) for event in case["events"]} - loose
    seen = {json.dumps(event, sort_keys=True) for event in events(scenario)} - loose
    missing, extra = sorted(wanted - seen), sorted(seen - wanted)
    if missing:
        return f"events: missing {missing[0]}"
    return f"events: unexpected {extra[0]}" if extra else ""


def difference(path: str, want: Any, have: Any) -> str:
    """Return the first place where two values differ."""
    if isinstance(want, dict) and isinstance(have, dict):
        for key in sorted(want.keys() | have.keys()):
            if want.get(key) != have.get(key) or (key in want) != (key in have):
                return difference(f"{path}/{key}", want.get(key), have.get(key))
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for n, (one, other) in enumerate(zip(want, have, strict=True)):
            if one != other:
                return difference(f"{path}/{n}", one, other)
    return f"{path}: {json.dumps(have)[:300]} is not {json.dumps(want)[:300]}"


def ordered(value: Any) -> Any:
    """Sort what the recording sorted: pods, endpoints, addresses; here every list of objects."""
    if isinstance(value, dict):
        return {key: ordered(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [ordered(item) for item in value]
        if items and all(isinstance(item, dict) for item in items):
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        return items
    return value


def events(scenario: Scenario) -> list[Obj]:
    """Return the events of the namespace, without their counts and times."""
    found = []
    for event in scenario.client.list("events").items:
        about = event["involvedObject"]
        if about.get("namespace") != NS and about["kind"] != "Node":
            continue
        if about["kind"] == "Node" and not about["name"].startswith(NS):
            continue
        found.append(
            {
                "component": (event.get("source") or {}).get("component") or event.get("reportingComponent"),
                "type": event["type"],
                "reason": event["reason"],
                "kind": about["kind"],
                "name": scenario.shown(about["name"]),
                "note": scenario.shown(event["message"].removeprefix(COMBINED)),
            }
        )
    return found


def state(scenario: Scenario, case: Obj) -> Obj:
    """Return the objects of the namespace and the cluster objects of the case, reduced as recorded."""
    out: Obj = {}
    made = scenario.made()
    seen_resources = set()
    for kind in builtin().all():
        resource = builtin().storage(kind.resource).resource
        if resource in seen_resources or "list" not in kind.verbs or resource in ("events", "componentstatuses"):
            continue
        seen_resources.add(resource)
        if kind.namespaced:
            items = scenario.client.list(resource, NS).items
        elif resource == "namespaces":
            tested = any(step["do"].get("kind") == "Namespace" for step in case["steps"])
            items = [ns for ns in scenario.client.list(resource).items if tested and ns["metadata"]["name"] == NS]
        elif resource == "priorityclasses.scheduling.k8s.io":
            items = []
        else:
            items = [obj for obj in scenario.client.list(resource).items if (resource, obj["metadata"]["name"]) in made]
        plural = kind.plural
        kept = [reduced(scenario, plural, obj) for obj in items if not _is_default(plural, obj, case)]
        if kept:
            out[plural] = kept
    return out


def _is_default(plural: str, obj: Obj, case: Obj) -> bool:
    """Say whether the object is one that every namespace has, in a case that is not about it."""
    if obj["metadata"]["name"] != DEFAULT_OBJECTS.get(plural):
        return False
    deleted = {step["do"]["name"] for step in case["steps"] if step["do"]["op"] == "delete"}
    return not deleted & set(DEFAULT_OBJECTS.values())


def reduced(scenario: Scenario, plural: str, obj: Obj) -> Obj:
    """Return an object as the recording keeps it."""
    body = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    out: Obj = {"metadata": _metadata(plural, obj["metadata"])}
    if plural == "configmaps":
        out["keys"] = sorted(obj.get("data") or {})
    elif plural in ("serviceaccounts", "storageclasses"):
        pass
    elif plural in KEPT:
        out |= {name: obj.get(name) for name in KEPT[plural]}
    elif plural == "pods":
        out |= {"spec": _pod_spec(obj, scenario), "status": _pod_status(obj)}
    else:
        out |= body
        if plural == "nodes":
            taints = obj["spec"].get("taints")
            keep = {"taints": taints} if taints else {}
            if obj["spec"].get("unschedulable") is not None:
                keep["unschedulable"] = obj["spec"]["unschedulable"]
            out["spec"] = keep
            out["status"] = {"conditions": obj["status"].get("conditions")}
        if "spec" in out:
            out["spec"] = _with_short_template(out["spec"])
    return _shown(scenario, plural, out)


def _with_short_template(spec: Obj) -> Obj:
    """Reduce the pod template to labels and images, also the one inside a Job template."""
    template = spec.get("template")
    if template and "spec" in template:
        labels = (template.get("metadata") or {}).get("labels")
        images = [container["image"] for container in template["spec"]["containers"]]
        return {**spec, "template": {"labels": labels, "images": images}}
    job = spec.get("jobTemplate")
    if job:
        return {**spec, "jobTemplate": {"metadata": job.get("metadata") or {}, **_with_short_template(job["spec"])}}
    return spec


def _metadata(plural: str, meta: Obj) -> Obj:
    drop = {"uid", "resourceVersion", "managedFields", "creationTimestamp", "namespace"}
    if plural in WITHOUT_GENERATION:
        drop.add("generation")
    out = {name: value for name, value in meta.items() if name not in drop and value not in ({}, [], None)}
    if out.get("annotations"):
        out["annotations"] = {k: v for k, v in out["annotations"].items() if k != TRIGGERED and not k.startswith(OWN)}
        if not out["annotations"]:
            del out["annotations"]
    if out.get("ownerReferences"):
        out["ownerReferences"] = [
            {k: v for k, v in ref.items() if k not in ("uid", "apiVersion") and v is not False}
            for ref in out["ownerReferences"]
        ]
    return out


def _pod_spec(pod: Obj, scenario: Scenario) -> Obj:
    spec = pod["spec"]
    out: Obj = {name: spec[name] for name in ("hostname", "subdomain") if spec.get(name)}
    out |= {"restartPolicy": spec["restartPolicy"], "priority": spec.get("priority"), "node": spec.get("nodeName")}
    out["images"] = [container["image"] for container in spec["containers"]]
    out["volumes"] = [v for v in spec.get("volumes") or () if not v["name"].startswith("kube-api-access-")]
    keeps_all = scenario.case["id"].startswith("node-")
    tolerations = [t for t in spec.get("tolerations") or () if keeps_all or t.get("tolerationSeconds") != 300]
    if tolerations:
        out["tolerations"] = tolerations
    refs = pod["metadata"].get("ownerReferences") or ()
    if spec.get("affinity") and any(ref["kind"] == "DaemonSet" for ref in refs):
        out["affinity"] = spec["affinity"]
    if any(ref["kind"] == "Job" for ref in refs):
        out["env"] = spec["containers"][0].get("env") or []
    return out


def _pod_status(pod: Obj) -> Obj:
    status = pod.get("status") or {}
    kept = ("type", "status", "reason", "message")
    conditions = [{k: c[k] for k in kept if c.get(k)} for c in status.get("conditions") or ()]
    return {"phase": status.get("phase"), "conditions": conditions}


def _shown(scenario: Scenario, plural: str, obj: Obj) -> Obj:
    """Put placeholders in the place of what is particular to this run."""

    def walk(value: Any, field: str) -> Any:
        if isinstance(value, dict):
            return {scenario.shown(key): walk(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, field) for item in value]
        if not isinstance(value, str):
            return "<port>" if field == "nodePort" and value else value
        if field == "resourceVersion":
            return "<rv>"
        if field in ("clusterIP", "clusterIPs") and value != "None":
            return "<clusterIP>"
        if field in ("ip", "addresses") and value.startswith("10.200."):
            return "<podIP>"
        if TIME.fullmatch(value):
            return "<time>"
        if UID.fullmatch(value) and value in scenario.uids:
            kind, name = scenario.uids[value]
            return f"<uid:{kind}/{scenario.shown(name)}>"
        return scenario.shown(value)

    shown: Obj = walk(obj, "")
    return shown
