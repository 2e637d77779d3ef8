"""ttl-controller: the annotation follows the size of the cluster, without going back and forth."""

from __future__ import annotations

import pytest

from kctl.controllers.nodettl import ANNOTATION, Seen, decide


def wanted(known: str | None, size: int) -> str | None:
    """Return what the annotation is set to, None when it stays."""
    annotations = {ANNOTATION: known} if known is not None else {}
    seen = Seen({"metadata": {"name": "n", "annotations": annotations}}, size)
    for action in decide(seen).actions:
        return action.patch["metadata"]["annotations"][ANNOTATION]
    return None


@pytest.mark.parametrize(
    ("known", "size", "then"),
    [
        (None, 1, "0"),
        (None, 100, "0"),
        (None, 101, "15"),
        (None, 501, "30"),
        (None, 1001, "60"),
        (None, 5000, "300"),
        ("0", 100, None),
        ("0", 101, "15"),
        ("15", 95, None),
        ("15", 89, "0"),
        ("60", 1850, None),
        ("300", 1799, "60"),
        ("soon", 5, "0"),
    ],
)
def test_the_value_changes_when_the_size_leaves_its_step(known, size, then):
    assert wanted(known, size) == then


def test_every_node_of_a_cluster_is_annotated_and_a_change_by_hand_taken_back(world):
    from kctl.api.objects import Key

    world.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    world.settle()
    assert world.client.get("nodes", "", "n")["metadata"]["annotations"][ANNOTATION] == "0"
    world.client.patch("nodes", Key("", "n"), {"metadata": {"annotations": {ANNOTATION: "7"}}})
    world.settle()
    assert world.client.get("nodes", "", "n")["metadata"]["annotations"][ANNOTATION] == "0"
