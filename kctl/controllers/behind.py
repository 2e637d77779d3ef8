"""What stands behind each Service: something made of every pod it selects, kept up to date as pods change.

In: a rule that makes something of a Service, one of its pods and the zone of its node; the caches. Out: for a Service
what was made of its pods, and what of that is new since the last look. Only pods that changed are looked at: one
that becomes ready costs the same in a Service of ten pods and of ten thousand. A Service that is another than at
the last look is looked at as a whole.

Not here: what follows from it; and which Services a change wakes, which is the controllers' matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from kctl.api.objects import Key, Obj, dig, key_of, labels_of
from kctl.client.cache import LABELS, META, SPEC, STATUS, Caches, Index, by_node
from kctl.controllers.pods import is_ready, is_terminal

T = TypeVar("T")
Rule = Callable[[Obj, Obj, "str | None"], "T | None"]
"""Takes a Service, a pod and the zone of its node: "" for a node in none, None where there is no such node."""
ON = LABELS | META | SPEC | STATUS
ZONE = "topology.kubernetes.io/zone"
SHARED_KEYS = frozenset(("app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "tier", "env", "environment"))
"""Label keys that many Services share; the index looks Services up by another one if it can."""


class Change(NamedTuple, Generic[T]):
    """What was made of one pod before and what is now; None where it is not listed."""

    pod: str
    before: T | None
    after: T | None


class News(NamedTuple, Generic[T]):
    """What was made of the pods of a Service, by their names; what changed, None when all is new."""

    made: dict[str, T]
    changes: list[Change[T]] | None


class _Known(NamedTuple, Generic[T]):
    """What was made at the last look, and of which Service."""

    uid: str
    spec: Obj
    made: dict[str, T]
    stale: dict[str, None]
    """Pods that have changed since."""


class Behind(Generic[T]):
    """What a rule makes of the pods of Services."""

    def __init__(self, rule: Rule[T]) -> None:
        self._rule = rule
        self._known: dict[Key, _Known[T]] = {}
        self.looked_at = 0
        """How many pods the rule was asked about; tests hold it against how many changed."""

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of Services by selector and of pods by label, and hear of changes."""
        services_index(caches)
        pods_index(caches)

        def changed(key: Key, old: Obj | None, new: Obj | None) -> None:
            if self._known and concerns(old, new):
                self._mark(key.name, selecting(old, new, caches))

        def moved(key: Key, old: Obj | None, new: Obj | None) -> None:
            if self._known and zone_of(old) != zone_of(new):
                for pod in by_node(caches["pods"]).get(key.name):
                    self._mark(pod["metadata"]["name"], services_of(pod, caches))

        caches["pods"].follow(changed, on=ON)
        caches["nodes"].follow(moved)

    def _mark(self, pod: str, services: Iterable[Key]) -> None:
        for key in services:
            known = self._known.get(key)
            if known is not None:
                known.stale[pod] = None

    def look(self, caches: Caches, key: Key, service: Obj) -> News[T]:
        """Return what stands behind a Service with a selector now."""
        known, uid, spec = self._known.get(key), service["metadata"]["uid"], service["spec"]
        nodes = caches["nodes"]

        def made(pod: Obj) -> T | None:
            self.looked_at += 1
            node = pod["spec"].get("nodeName")
            return self._rule(service, pod, zone_of(nodes.get(Key("", node)) if node else None))

        if known is None or known.uid != uid or known.spec is not spec:
            found = ((pod["metadata"]["name"], made(pod)) for pod in pods_of(caches, key.namespace, spec["selector"]))
            every = {name: one for name, one in found if one is not None}
            self._known[key] = _Known(uid, spec, every, {})
            return News(every, None)
        changes = []
        for name in known.stale:
            pod = caches["pods"].get(Key(key.namespace, name))
            before = known.made.get(name)
            after = made(pod) if pod is not None and spec["selector"].items() <= labels_of(pod).items() else None
            if after == before:
                continue
            if after is None:
                del known.made[name]
            else:
                known.made[name] = after
            changes.append(Change(name, before, after))
        known.stale.clear()
        return News(known.made, changes)

    def forget(self, key: Key) -> None:
        """Forget a Service that is gone."""
        self._known.pop(key, None)


def is_included(pod: Obj) -> bool:
    """Say whether the pod has an address worth listing, as ShouldPodBeInEndpoints."""
    return not is_terminal(pod) and bool(addresses_of(pod))


def addresses_of(pod: Obj) -> list[str]:
    """Return the pod's IPv4 addresses."""
    status = pod.get("status") or {}
    found = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    if not found and status.get("podIP"):
        found = [status["podIP"]]
    return [address for address in found if ":" not in address]


def changed_at(pod: Obj) -> str:
    """Return when the pod last became Ready or ceased to be, "" if it does not say."""
    for found in dig(pod, "status", "conditions", default=()):
        if found.get("type") == "Ready":
            return str(found.get("lastTransitionTime") or "")
    return ""


def concerns(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a change of a pod may change what stands behind a Service, as GetPodServiceMemberships.

    A pod that is in no list before and after changes none: it comes without an address, and gets its node so.
    """
    if not any(pod is not None and is_included(pod) for pod in (old, new)):
        return False
    return old is None or new is None or _is_another(old, new)


def _is_another(old: Obj, new: Obj) -> bool:
    """Say whether anything an endpoint shows has changed, as podEndpointsChanged and labels."""
    before, after = old["metadata"], new["metadata"]
    if before is not after:
        for field in ("labels", "deletionTimestamp"):
            if before.get(field) != after.get(field):
                return True
    if old["spec"] is not new["spec"] and old["spec"] != new["spec"]:
        return True
    if old.get("status") is new.get("status"):
        return False
    return (
        addresses_of(old) != addresses_of(new)
        or is_ready(old) != is_ready(new)
        or is_terminal(old) != is_terminal(new)
        or changed_at(old) != changed_at(new)
    )


def zone_of(node: Obj | None) -> str | None:
    """Return the zone a node is in, "" where it is in none; None where there is no node."""
    return None if node is None else labels_of(node).get(ZONE, "")


def rarest(labels: dict[str, str]) -> tuple[str, str]:
    """Return the pair of a selector by which it is indexed: one that few others are likely to have."""
    return min(labels.items(), key=lambda pair: (pair[0] in SHARED_KEYS, pair))


def services_index(caches: Caches) -> Index:
    """Return the index of Services by one pair of their selector."""
    return caches["services"].index("selector", _service_values, on=SPEC)


def _service_values(service: Obj) -> tuple[tuple[str, str, str], ...]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        return ()
    return ((key_of(service).namespace, *rarest(spec["selector"])),)


def pods_index(caches: Caches) -> Index:
    """Return the index of pods by namespace and each label."""
    return caches["pods"].index("labels", _pod_values, on=LABELS, alike=True)


def pods_of(caches: Caches, namespace: str, selector: dict[str, str]) -> tuple[Obj, ...]:
    """Return the pods a selector finds, in order of their names."""
    found = pods_index(caches).get((namespace, *rarest(selector)))
    if len(selector) == 1:
        return tuple(found)
    wanted = selector.items()
    return tuple(pod for pod in found if wanted <= labels_of(pod).items())


def _pod_values(pod: Obj) -> tuple[tuple[str, str, str], ...]:
    labels = pod["metadata"].get("labels")
    if not labels:
        return ()
    namespace = pod["metadata"].get("namespace") or ""
    return tuple((namespace, key, value) for key, value in labels.items())


def services_of(pod: Obj, caches: Caches) -> Iterable[Key]:
    """Yield the keys of the Services that select the pod."""
    index = services_index(caches)
    if not index:
        return
    labels = labels_of(pod)
    for value in _pod_values(pod):
        if not index.count(value):
            continue
        for service in index.get(value):
            if all(labels.get(key) == wanted for key, wanted in service["spec"]["selector"].items()):
                yield key_of(service)


def selecting(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Return the Services that select a pod or did before it changed."""
    found: dict[Key, None] = {}
    for pod in (old, new):
        if pod is not None and (old is None or new is None or labels_of(old) != labels_of(new) or pod is new):
            found.update(dict.fromkeys(services_of(pod, caches)))
    return list(found)


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to the Services whose endpoints its change may change."""
    return selecting(old, new, caches) if services_index(caches) and concerns(old, new) else []


def keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a node that came, went or moved zone to the Services of its pods."""
    if old is not None and new is not None and zone_of(old) == zone_of(new):
        return []
    node: dict[str, Any] = new or old or {}
    found: dict[Key, None] = {}
    for pod in by_node(caches["pods"]).get(node["metadata"]["name"]):
        found.update(dict.fromkeys(services_of(pod, caches)))
    return list(found)
