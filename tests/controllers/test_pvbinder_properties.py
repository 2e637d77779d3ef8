"""Whatever comes and goes in whatever order: bindings are pairs, and they end the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj
from tests.controllers.conftest import World
from tests.controllers.test_pvbinder import CLAIMS, NAMES, VOLUMES, bound, claim, storage_class, volume

SIZES = st.sampled_from(["1Gi", "2Gi", "3Gi"])
CLASS = st.sampled_from(["x", "y", ""])
MODES = st.sampled_from([["ReadWriteOnce"], ["ReadWriteOnce", "ReadOnlyMany"], ["ReadWriteMany"]])
POLICY = st.sampled_from(["Retain", "Recycle"])


@st.composite
def objects(draw: Any) -> list[Obj]:
    made: list[Obj] = [storage_class("y", provisioner="kubernetes.io/no-provisioner")]
    for n in range(draw(st.integers(0, 5))):
        spec = {"accessModes": draw(MODES), "persistentVolumeReclaimPolicy": draw(POLICY)}
        kept = draw(st.none() | st.integers(0, 4))
        if kept is not None:
            spec["claimRef"] = {"namespace": "default", "name": f"c{kept}"}
        made.append(volume(f"v{n}", size=draw(SIZES), cls=draw(CLASS), **spec))
    for n in range(draw(st.integers(0, 5))):
        named = draw(st.none() | st.integers(0, 5))
        spec = {} if named is None else {"volumeName": f"v{named}"}
        made.append(claim(f"c{n}", size=draw(SIZES), cls=draw(CLASS), accessModes=draw(MODES), **spec))
    return made


def check(world: World) -> None:
    """Raise AssertionError unless every binding is one of a pair, and nothing is left to do."""
    pairs = bound(world)
    assert len(set(pairs.values())) == len(pairs), "two claims have one volume"
    taken: dict[str, list[str]] = {}
    for found in world.client.list(VOLUMES).items:
        ref = found["spec"].get("claimRef") or {}
        if ref.get("uid") and found["status"]["phase"] == "Bound":
            taken.setdefault(ref["name"], []).append(found["metadata"]["name"])
    assert {name: volumes[0] for name, volumes in taken.items()} == pairs
    assert all(len(volumes) == 1 for volumes in taken.values()), "one claim has two volumes"
    assert world.decisions() == []


def outcome(made: list[Obj]) -> tuple[World, Any]:
    world = World(NAMES)
    for obj in made:
        world.create(obj)
    world.pass_time(60)
    return world, bound(world)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_bindings_are_pairs_and_do_not_depend_on_the_order_of_creation(data: Any) -> None:
    made = data.draw(objects())
    world, pairs = outcome(made)
    check(world)
    others, same = outcome(data.draw(st.permutations(made)))
    assert same == pairs
    others.manager.stop()
    revision = world.client.list(CLAIMS).revision
    world.manager.stop()
    again = World.__new__(World)
    again.__dict__.update(world.__dict__)
    restart(again)
    assert again.client.list(CLAIMS).revision == revision, "a second look wrote something"
    again.manager.stop()


def restart(world: World) -> None:
    """Start the controllers anew over the same API server."""
    from kctl.client.local import LocalClient
    from kctl.controllers import build
    from kctl.runtime.loop import ControllerLoop
    from kctl.runtime.manager import Manager

    world.manager = Manager(world.client)
    world.controllers = build(NAMES)
    for controller in world.controllers:
        client = LocalClient(world.server, user=controller.user, field_manager="kube-controller-manager")
        world.manager.add(ControllerLoop(controller, client, world.manager.caches))
    world.settle()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_claims_and_volumes_may_go_at_any_time(data: Any) -> None:
    made = data.draw(objects())
    world, _ = outcome(made)
    for obj in data.draw(st.lists(st.sampled_from(made), max_size=4)):
        resource = {"PersistentVolume": VOLUMES, "PersistentVolumeClaim": CLAIMS}.get(obj["kind"])
        if resource is None:
            continue
        key = Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if key.name in world.names(resource, key.namespace):
            world.client.patch(resource, key, {"metadata": {"finalizers": None}})
            world.client.delete(resource, key)
        world.pass_time(data.draw(st.sampled_from([0, 1, 20])))
        world.create(obj) if data.draw(st.booleans()) and key.name not in world.names(resource, key.namespace) else None
    world.pass_time(60)
    check(world)
    world.manager.stop()
