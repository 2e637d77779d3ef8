"""namespace-controller and garbage-collector-controller."""

from __future__ import annotations

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, condition

MAPS = "configmaps"


def config(name, *owners, block=False, **meta):
    refs = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **({"blockOwnerDeletion": True} if block else {}),
        }
        for owner in owners
    ]
    body = {"name": name, "namespace": "default", "ownerReferences": refs, **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": body}


def maps(world):
    return [name for name in world.names(MAPS) if name != "kube-root-ca.crt"]


@pytest.fixture
def chain(world):
    """Return a world with a, owned by nobody, b owned by a, c owned by b."""
    a = world.create(config("a"))
    b = world.create(config("b", a, block=True))
    world.create(config("c", b, block=True))
    world.settle()
    return world


def test_dependents_of_dependents_go_in_the_background(chain):
    chain.client.delete(MAPS, Key("default", "a"), propagation="Background")
    assert maps(chain) == ["b", "c"]
    chain.settle()
    assert maps(chain) == []


def test_in_the_foreground_the_owner_goes_last(chain):
    chain.client.patch(MAPS, Key("default", "c"), {"metadata": {"finalizers": ["example.com/hold"]}})
    chain.client.delete(MAPS, Key("default", "a"), propagation="Foreground")
    chain.settle()
    assert maps(chain) == ["a", "b", "c"]
    chain.client.patch(MAPS, Key("default", "c"), {"metadata": {"finalizers": None}})
    chain.settle()
    assert maps(chain) == []


def test_in_the_foreground_a_dependent_that_does_not_block_is_not_waited_for(world):
    owner = world.create(config("owner"))
    world.create(config("held", owner, finalizers=["example.com/hold"]))
    world.client.delete(MAPS, Key("default", "owner"), propagation="Foreground")
    world.settle()
    assert maps(world) == ["held"]
    assert world.get(MAPS, "held")["metadata"]["deletionTimestamp"]


def test_orphans_lose_their_reference_and_stay(chain):
    chain.client.delete(MAPS, Key("default", "a"), propagation="Orphan")
    chain.settle()
    assert maps(chain) == ["b", "c"]
    assert not chain.get(MAPS, "b")["metadata"].get("ownerReferences")


def test_one_owner_left_is_enough_and_the_dead_reference_is_dropped(world):
    one, two = world.create(config("one")), world.create(config("two"))
    world.create(config("child", one, two))
    world.client.delete(MAPS, Key("default", "one"))
    world.settle()
    (ref,) = world.get(MAPS, "child")["metadata"]["ownerReferences"]
    assert ref["name"] == "two"


@pytest.mark.parametrize(
    "change", [pytest.param({"uid": "other"}, id="another uid"), pytest.param({"name": "nobody"}, id="no such object")]
)
def test_an_owner_that_never_was_counts_as_gone(world, change):
    owner = world.create(config("owner"))
    child = config("child", owner)
    child["metadata"]["ownerReferences"][0].update(change)
    world.create(child)
    world.settle()
    assert maps(world) == ["owner"]


def test_an_owner_of_an_unknown_kind_is_not_taken_for_gone(world):
    child = config("child")
    ref = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "u"}
    child["metadata"]["ownerReferences"] = [ref]
    world.create(child)
    world.settle()
    assert maps(world) == ["child"]


def test_deleting_a_deployment_takes_replicasets_and_pods(world, deployment):
    world.create(deployment(replicas=2))
    world.run_all()
    world.client.delete("deployments.apps", Key("default", "web"), propagation="Background")
    world.run_all()
    assert world.names("replicasets.apps") == []
    assert world.pods() == []


def namespace(world):
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    world.settle()


def test_a_namespace_is_emptied_after_its_grace_and_goes(world):
    namespace(world)
    world.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "type": "Opaque"}
    )
    world.client.delete("namespaces", Key("", "shop"))
    world.settle()
    assert world.names("secrets", "shop") == ["s"]
    world.pass_time(5)
    with pytest.raises(StatusError, match='namespaces "shop" not found'):
        world.client.get("namespaces", "", "shop")
    assert world.names("secrets", "shop") == []
    assert world.names("serviceaccounts", "shop") == []


def test_pods_go_first_and_what_remains_is_told(world):
    namespace(world)
    spec = {"containers": [{"name": "c", "image": "app:1"}]}
    meta = {"name": "p", "namespace": "shop", "finalizers": ["example.com/hold"]}
    world.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    world.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}})
    world.client.delete("namespaces", Key("", "shop"))
    world.pass_time(6)
    assert "c" in world.names(MAPS, "shop"), "everything else waits for the pods"
    shown = world.client.get("namespaces", "", "shop")
    content = condition(shown, "NamespaceContentRemaining")
    assert (content["status"], content["message"]) == (
        "True",
        "Some resources are remaining: pods. has 1 resource instances",
    )
    assert condition(shown, "NamespaceFinalizersRemaining")["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    assert condition(shown, "NamespaceDeletionContentFailure")["status"] == "False"
    world.client.patch("pods", Key("shop", "p"), {"metadata": {"finalizers": None}})
    world.settle()
    assert "shop" not in [ns["metadata"]["name"] for ns in world.client.list("namespaces").items]
