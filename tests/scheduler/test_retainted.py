"""Nodes whose taints alone change: what was found out about nodes stands where no pod sees a difference."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Obj
from kctl.scheduler.kernel import Kernel, Placed
from kctl.scheduler.kernel.landscape import Landscape
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from tests.scheduler.equality import Twins

UNREACHABLE = "node.kubernetes.io/unreachable"


class Retainted(Twins):
    """A random cluster in which taints come and go more often than anything else."""

    def disturb(self) -> None:
        rng = self.rng
        if rng.random() < 0.3:
            super().disturb()
            return
        nodes = self.fast.order()
        if not nodes:
            return
        node: Obj = rng.choice(nodes).node or {}
        taints = list(node["spec"].get("taints") or ())
        if taints and rng.random() < 0.5:
            taints.pop(rng.randrange(len(taints)))
        else:
            effect = rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule", "NoExecute"))
            taints.insert(rng.randint(0, len(taints)), {"key": rng.choice("xyz"), "effect": effect})
        self.both("put_node", {**node, "spec": {**node["spec"], "taints": taints}})


@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_decides_as_the_plugins_do_while_taints_change(seed: int) -> None:
    twins = Retainted(seed)
    twins.run(12)
    assert twins.seen["fast"]


def tainted(obj: Obj, *effects: str) -> Obj:
    return {**obj, "spec": {**obj["spec"], "taints": [{"key": UNREACHABLE, "effect": effect} for effect in effects]}}


def test_a_node_that_was_out_already_may_get_another_taint_at_no_cost(
    monkeypatch: pytest.MonkeyPatch, cluster: Any, node: Any, pod: Any
) -> None:
    world = cluster([node(name) for name in "abc"])
    world.put_node(tainted(node("a"), "NoSchedule"))
    made = 0
    init = Landscape.__init__

    def counting(self: Landscape, *args: Any) -> None:
        nonlocal made
        made += 1
        init(self, *args)

    monkeypatch.setattr(Landscape, "__init__", counting)
    kernel = Kernel(default_profile())
    for n, effects in enumerate(([], ["NoExecute"], ["NoExecute", "NoSchedule"])):
        world.put_node(tainted(node("a"), "NoSchedule", *effects))
        assert kernel.schedule_many(world, [PodInfo(pod(f"p{n}"))]) != ["a"]
    assert made == 1
    world.put_node(tainted(node("a")))
    assert kernel.schedule_many(world, [PodInfo(pod("q"))]) == ["a"]
    assert made == 2


def test_a_decision_is_not_recalled_once_taints_have_changed(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node(name) for name in "ab"])
    kernel = Kernel(default_profile())
    placed = kernel.schedule(world, PodInfo(pod("p")))
    assert isinstance(placed, Placed)
    assert placed.recall() is not None
    world.put_node(tainted(node("b"), "NoExecute"))
    assert placed.recall() is None
