"""A deployment, in kubectl's order, with its replica sets."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.objects import Obj, annotations_of, dig
from kctl.api.printers import label_selector
from kctl.cli.describing import layout, pods
from kctl.cli.describing.layout import Page

REVISION = "deployment.kubernetes.io/revision"


def describe(deployment: Obj, now: float, events: Sequence[Obj], *, replicasets: Sequence[Obj]) -> str:
    """Return the description of a deployment; ``replicasets`` are those it owns."""
    page = Page()
    meta, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    page.field(0, "Name", meta["name"])
    page.field(0, "Namespace", meta["namespace"])
    page.field(0, "CreationTimestamp", layout.time_text(meta.get("creationTimestamp")))
    layout.metadata(page, deployment)
    page.field(0, "Selector", label_selector(spec.get("selector")))
    counts = (("updated", "updatedReplicas"), ("total", "replicas"), ("available", "availableReplicas"))
    parts = [f"{spec.get('replicas', 1)} desired", *(f"{status.get(field, 0)} {word}" for word, field in counts)]
    page.field(0, "Replicas", " | ".join([*parts, f"{status.get('unavailableReplicas', 0)} unavailable"]))
    page.field(0, "StrategyType", dig(spec, "strategy", "type", default=""))
    page.field(0, "MinReadySeconds", spec.get("minReadySeconds", 0))
    rolling = dig(spec, "strategy", "rollingUpdate")
    if rolling:
        text = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        page.field(0, "RollingUpdateStrategy", text)
    pods.template(page, spec.get("template") or {})
    if status.get("conditions"):
        page.line(0, "Conditions:")
        rows = [(found["type"], found["status"], found.get("reason", "")) for found in status["conditions"]]
        page.table(1, ["Type", "Status", "Reason"], rows)
    new = [one for one in replicasets if _revision(one) == _revision(deployment)]
    old = [one for one in replicasets if _revision(one) != _revision(deployment)]
    page.field(0, "OldReplicaSets", _created(old))
    page.field(0, "NewReplicaSet", _created(new))
    layout.events(page, events, now)
    return page.text()


def _revision(obj: Obj) -> str:
    return annotations_of(obj).get(REVISION, "")


def _created(found: Sequence[Obj]) -> str:
    texts = [
        f"{one['metadata']['name']} ({dig(one, 'status', 'replicas', default=0)}/{one['spec'].get('replicas', 0)} replicas created)"
        for one in found
    ]
    return ", ".join(texts) or "<none>"
