"""The Report: how a run ended, in three layers, as one document.

Its JSON Schema is ``report.schema.json`` beside this module.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Literal

from kctl.api.objects import Obj
from kctl.gitops.inventory import API_VERSION
from kctl.plan import leaves, residual
from kctl.plan.tale import Tale
from kctl.plane.plane import ControlPlane, Outcome

Verdict = Literal["Converged", "Settled", "Oscillating", "Horizon"]
SKIPPED_KINDS = frozenset({"kctl.dev", "cloud.kctl.dev"})
COMPONENTS = frozenset(
    {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "cloud-controller-manager"}
)
"""The field managers of what the control plane makes for itself."""
DERIVED = frozenset({"leases.coordination.k8s.io", "ipaddresses.networking.k8s.io"})
"""Kinds of objects that the server makes for who reads them."""
SKIPPED_RESOURCES = frozenset({"events", "nodes", "namespaces"}) | DERIVED

BLOCKERS = "blockers"
"""Under which name the blockers of a quiet revision are noted."""


def build(
    plane: ControlPlane,
    outcome: Outcome,
    *,
    intent: Sequence[Obj] = (),
    warnings: Iterable[str] = (),
    lints: Iterable[Obj] = (),
    used: Sequence[tuple[str, Obj]] = (),
) -> Obj:
    """Return the Report of a run; ``used`` are the (resource, object) pairs that the input had.

    ``lints`` are entries for what the warnings say of the input in words.
    """
    converger = plane.converger
    told = converger.listener
    if not isinstance(told, Tale):
        told = Tale.of(plane.client, converger.trace, converger.times)
    pods = () if told.is_empty else plane.client.list("pods").items
    left = _blockers(plane)
    met = problems(plane, {(entry["namespace"], entry["message"]) for entry in left})
    if intent and outcome.end == "Quiet":
        met += residual.gone(plane.client, used, left)
    left += [{**entry, "leaf": leaves.leaf_of(entry), "chain": [entry["object"]]} for entry in met]
    return {
        "apiVersion": API_VERSION,
        "kind": "Report",
        "verdict": verdict_of(outcome, left),
        "why": outcome.why,
        "revision": plane.revision,
        "intent": list(intent),
        "consequence": told.records(pods),
        "residual": left,
        "timeline": [row.data() for row in told.rows(outcome.started)],
        "warnings": sorted(set(warnings)),
        "lints": list(lints),
        "notSimulated": not_simulated(used),
        "virtualSeconds": round(outcome.now - outcome.started, 3),
    }


def _blockers(plane: ControlPlane) -> list[Obj]:
    """Return why the cluster is not as desired; what was noted of a quiet revision need not be found out again."""
    noted: list[Obj] | None = plane.converger.recall(BLOCKERS)
    if noted is not None:
        return noted
    found = leaves.with_leaves(plane, [blocker.data() for blocker in residual.blockers(plane.client)])
    plane.converger.note(BLOCKERS, found)
    return found


def verdict_of(outcome: Outcome, residual: Sequence[Obj]) -> Verdict:
    """Return the verdict: a quiet cluster has Converged when nothing is left to be desired, and nothing moves."""
    if outcome.end != "Quiet":
        return outcome.end
    return "Settled" if residual or outcome.cycles else "Converged"


def problems(plane: ControlPlane, told: Container[tuple[str, str]] = ()) -> list[Obj]:
    """Return what controllers met that their objects do not show: refusals and crashes.

    ``told`` are namespace and message of what the objects do show.
    """
    if not plane.converger.has_run:
        return []
    manager = plane.converger.manager
    found = [
        {
            "namespace": "",
            "object": crash.loop,
            "owner": crash.loop,
            "reason": "ControllerCrashed",
            "message": crash.error,
        }
        for crash in manager.crashes
    ]
    for (loop, key), message in sorted(manager.last_errors().items()):
        if (key.namespace, message) in told:
            continue
        found.append(
            {"namespace": key.namespace, "object": key.name, "owner": loop, "reason": "Refused", "message": message}
        )
    return [{**entry, "count": 1} for entry in found]


def not_simulated(used: Iterable[tuple[str, Obj]]) -> list[Obj]:
    """Return which accepted kinds and fields the objects use, with how many objects do."""
    from kctl.api import register
    from kctl.api.registry import builtin

    registry = builtin()
    counts: dict[tuple[str, str, str], int] = {}
    for resource, obj in used:
        try:
            kind = registry.storage(resource)
        except KeyError:  # a custom resource, of which the register knows but one thing
            entries = [register.custom()]
        else:
            resource, entries = kind.resource, register.not_simulated(kind, obj)
        for entry in entries:
            key = (resource, entry.path, entry.note)
            counts[key] = counts.get(key, 0) + 1
    return [
        {"resource": resource, "field": path, "note": note, "count": count}
        for (resource, path, note), count in sorted(counts.items())
    ]


def written_by_people(plane: ControlPlane) -> list[tuple[str, Obj]]:
    """Return the objects that people wrote: what was applied, or else what no component made."""
    return _applied(plane) or _unmade(plane)


def _applied(plane: ControlPlane) -> list[tuple[str, Obj]]:
    """Return what the intents brought, as it was written: defaulted fields are nobody's wish."""
    sets = {found["metadata"]["name"]: found for found in plane.client.list("renderedsets.kctl.dev").items}
    wishes = plane.client.list("intents.kctl.dev").items
    names = sorted({wish["spec"]["renderedSet"] for wish in wishes} & sets.keys())
    return [(item["resource"], item["object"]) for name in names for item in sets[name]["spec"]["objects"]]


def _unmade(plane: ControlPlane) -> list[tuple[str, Obj]]:
    found: list[tuple[str, Obj]] = []
    for kind in plane.server.registry.all():
        if kind.group in SKIPPED_KINDS or kind.resource in SKIPPED_RESOURCES or "list" not in kind.verbs:
            continue
        if plane.server.registry.storage(kind.resource) != kind:
            continue
        found += [
            (kind.resource, obj)
            for obj in plane.client.list(kind.resource).items
            if not obj["metadata"].get("ownerReferences") and not is_made_by_components(obj)
        ]
    return found


def is_made_by_components(obj: Obj) -> bool:
    """Say whether only the control plane's own components have written an object."""
    managers = {entry.get("manager") for entry in obj["metadata"].get("managedFields") or ()}
    return bool(managers) and managers <= COMPONENTS
