"""A terminating namespace: its Events hold nothing back, and are read when it goes."""

from __future__ import annotations

from typing import Any

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.client.cache import Caches
from kctl.controllers.namespace import EVENTS, NamespaceController, decide
from kctl.controllers.resourcequota import ResourceQuotaController
from kctl.runtime.actions import Delete, DeleteCollection, Update

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


def kinds(*left: str) -> list[tuple[type, str]]:
    actions = decide(seen(**{resource: [thing("Thing")] for resource in left}), LATE).actions
    return [(type(action), action.resource) for action in actions]


def test_events_go_with_the_namespace_when_nothing_else_is_left() -> None:
    assert kinds() == [(DeleteCollection, "events"), (Update, "namespaces")]


def test_events_go_in_their_place_among_what_is_left() -> None:
    assert kinds("configmaps", "secrets") == [(Delete, "configmaps"), (DeleteCollection, "events"), (Delete, "secrets")]


def test_while_pods_are_left_nothing_else_goes() -> None:
    assert kinds("pods", "configmaps") == [(Delete, "pods")]


def test_an_event_with_a_finalizer_holds_the_namespace_which_says_so() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        meta = {"name": "e", "namespace": "shop", "finalizers": ["example.com/keep"]}
        about = {"kind": "Pod", "namespace": "shop", "name": "p"}
        cp.client.create("events", {"apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": about})
        cp.client.delete("namespaces", Key("", "shop"))
        cp.converge()
        conditions = cp.client.get("namespaces", "", "shop")["status"]["conditions"]
        messages = {one["type"]: one["message"] for one in conditions if one["status"] == "True"}
        assert messages == {
            "NamespaceContentRemaining": "Some resources are remaining: events. has 1 resource instances",
            "NamespaceFinalizersRemaining": "Some content in the namespace has finalizers remaining: "
            "example.com/keep in 1 resource instances",
        }


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
