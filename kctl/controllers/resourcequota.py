"""resourcequota-controller: count what a namespace uses of its quotas.

In: a ResourceQuota, and the objects of its namespace that it counts: pods as a fold by what they
cost, everything else as it is. Out: ``status.hard`` as asked, and ``status.used``. Admission adds to
the usage at once when something is created; this controller takes back what is gone.

Upstream looks at everything again every five minutes; here every change that can matter leads to a
recount, so nothing is left to find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kctl.api import quota as rules
from kctl.api.objects import Key, Obj, key_of
from kctl.api.quota import pods as pod_rules
from kctl.api.quota.pods import Charged
from kctl.api.resourcelist import add, mask, times, written
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Fold
from kctl.controllers.namespace import EVENTS, namespaced_resources
from kctl.runtime.actions import update_status
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch, keys_of_self

QUOTAS = "resourcequotas"
CHANGING = frozenset(("pods", "services", "persistentvolumeclaims"))
"""What can cost more or less after a change."""
Counts = tuple[tuple[Charged, int], ...]


class Seen(NamedTuple):
    """A quota, and by resource what it counts: pods by their cost, other objects one by one."""

    quota: Obj
    pods: Counts
    objects: tuple[tuple[str, tuple[Obj, ...]], ...]


class ResourceQuotaController(Controller):
    """Keeps the status of quotas; before anything is created at an instant, so that admission knows."""

    name = "resourcequota-controller"
    user = "system:serviceaccount:kube-system:resourcequota-controller"
    level = 9
    reads = (QUOTAS,)
    writes = (QUOTAS,)

    def __init__(self) -> None:
        counted = (Watch(resource, keys_of_counted(resource)) for resource in counted_resources())
        self.watches = (Watch(QUOTAS, keys_of_self), *counted)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the quota and what it counts."""
        quota = caches[QUOTAS].get(key)
        if quota is None:
            return None
        hard = quota["spec"].get("hard") or {}
        known = frozenset(counted_resources())
        resources = sorted({rules.resource_for(name) for name in hard} & known)
        found = counted_pods(caches["pods"]).get(key.namespace) if "pods" in resources else ()
        objects = ((r, tuple(caches[r].in_namespace(key.namespace))) for r in resources if r != "pods")
        return Seen(quota, tuple(sorted(found, key=repr)), tuple(objects))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare what is used with what the status says; see :func:`decide`."""
        return decide(seen, now)


def decide(seen: Seen, now: float) -> Decision:
    """Say what the status is, as syncResourceQuota; look again when a stuck pod stops to count."""
    quota = seen.quota
    before = quota.get("status") or {}
    hard = written(quota["spec"].get("hard"))
    used = {**written(before.get("used")), **count(seen, hard, now)}
    status = {"hard": hard, "used": dict(sorted(mask(used, hard).items()))}
    changed = any(field not in before or written(before[field]) != status[field] for field in status)
    actions = (update_status(QUOTAS, quota, status),) if changed else ()
    moments = (found.until for found, _ in seen.pods if found.until >= now and found.until)
    soonest = min(moments, default=None)
    return Decision(actions, None if soonest is None else soonest + 1)


def count(seen: Seen, hard: Mapping[str, str], now: float) -> dict[str, str]:
    """Return the usage of every name that some kind can count under, as CalculateUsage."""
    scopes = rules.scopes_of(seen.quota)
    resources = [resource for resource, _ in seen.objects]
    resources += ["pods"] if rules.names_for("pods", hard) else []
    out = {name: "0" for resource in resources for name in rules.names_for(resource, hard)}
    for found, number in seen.pods:
        if all(pod_rules.in_scope(scope, found.scopes) for scope in scopes):
            cost = mask(pod_rules.usage(found, now), rules.names_for("pods", hard))
            out = add(out, {name: times(value, number) for name, value in cost.items()})
    for resource, objects in seen.objects:
        names = rules.names_for(resource, hard)
        for obj in objects:
            if rules.in_scopes(resource, scopes, obj):
                out = add(out, mask(rules.usage(resource, obj, now), names))
    return out


def counted_resources() -> list[str]:
    """Return what quotas can count: everything in namespaces but Events, as DefaultIgnoredResources."""
    return [resource for resource in namespaced_resources() if resource != EVENTS]


def counted_pods(pods: Cache) -> Fold[Counts]:
    """Return the fold of pods by what they cost, per namespace; made when the first quota needs it."""
    return pods.tally("quota", _shares, (), _with, _without, on=META | SPEC | STATUS)


def _shares(pod: Obj) -> tuple[tuple[str, Charged], ...]:
    return ((key_of(pod).namespace, pod_rules.charged(pod)),)


def _with(counts: Counts, found: Charged) -> Counts:
    return _changed(counts, found, 1)


def _without(counts: Counts, found: Charged) -> Counts:
    return _changed(counts, found, -1)


def _changed(counts: Counts, found: Charged, by: int) -> Counts:
    numbers = dict(counts)
    numbers[found] = numbers.get(found, 0) + by
    if not numbers[found]:
        del numbers[found]
    return tuple(sorted(numbers.items(), key=repr))  # one form, whatever the order pods came in


def keys_of_counted(resource: str) -> KeysOf:
    """Map an object that comes, goes, or changes what it costs, to the quotas of its namespace."""

    def keys(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        quotas = caches[QUOTAS]
        obj = new or old
        if not len(quotas) or obj is None:
            return ()
        if old is not None and new is not None and not (resource in CHANGING and _costs_differ(resource, old, new)):
            return ()
        namespace = obj["metadata"].get("namespace") or ""
        return [key_of(quota) for quota in quotas.in_namespace(namespace)]

    return keys


def _costs_differ(resource: str, old: Obj, new: Obj) -> bool:
    if resource == "pods":
        return pod_rules.charged(old) != pod_rules.charged(new)
    return old.get("spec") != new.get("spec") or old.get("status") != new.get("status")
