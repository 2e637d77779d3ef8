"""A terminating namespace: its Events hold nothing back, and are read when it goes."""

from __future__ import annotations

from typing import Any

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.client.cache import Caches
from kctl.controllers.namespace import EVENTS, NamespaceController, decide
from kctl.controllers.resourcequota import ResourceQuotaController
from kctl.runtime.actions import Delete, Update

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "n", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"finalizers": ["kubernetes"]},
    "status": {"phase": "Terminating"},
}
LATE = 1767225600.0 + 60


def seen(**left: list[dict[str, Any]]) -> Any:
    from kctl.controllers.namespace import Seen

    return Seen(NAMESPACE, tuple((resource, tuple(objects)) for resource, objects in sorted(left.items())))


def thing(kind: str, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "n", "uid": "x", **meta}}


def test_events_go_with_the_namespace_when_nothing_else_is_left() -> None:
    actions = decide(seen(events=[thing("Event")]), LATE).actions
    assert [type(action) for action in actions] == [Delete, Update]


def test_what_is_left_besides_events_goes_first() -> None:
    actions = decide(seen(events=[thing("Event")], configmaps=[thing("ConfigMap")]), LATE).actions
    assert [(type(action), action.resource) for action in actions] == [(Delete, "configmaps"), (Delete, "events")]


def test_an_event_with_a_finalizer_holds_the_namespace() -> None:
    held = thing("Event", finalizers=["example.com/keep"])
    actions = decide(seen(events=[held]), LATE).actions
    assert [(type(action), action.resource) for action in actions] == [(Delete, "events")]


def test_nobody_follows_events_and_a_namespace_takes_its_own_along() -> None:
    for controller in (NamespaceController(), ResourceQuotaController()):
        assert EVENTS not in {watch.resource for watch in controller.watches}
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        cp.converge()
        container = {"name": "c", "image": "example/c:1"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}}
        cp.client.create("pods", {**pod, "spec": {"containers": [container]}})
        cp.converge()
        assert cp.client.list("events", "shop").items
        caches: Caches = cp.converger.manager.caches
        assert EVENTS not in {cache.resource for cache in caches.known()}
        cp.client.delete("namespaces", Key("", "shop"))
        cp.converge()
        assert "shop" not in {namespace["metadata"]["name"] for namespace in cp.client.list("namespaces").items}
        assert cp.client.list("events", "shop").items == []
