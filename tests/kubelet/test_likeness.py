"""A pod that takes the step of one like it takes its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj
from kctl.kubelet import pod as pods
from kctl.kubelet.likeness import Lives
from kctl.kubelet.pod import Known, Step
from kctl.runtime.profile import Profile
from tests.kubelet.world import World

MAIN = {"name": "main", "image": "web:1"}
SPECS: dict[str, Obj] = {
    "plain": {"containers": [MAIN]},
    "two": {"containers": [MAIN, {"name": "side", "image": "side:2", "imagePullPolicy": "Always"}]},
    "init": {"containers": [MAIN], "initContainers": [{"name": "first", "image": "init:1"}]},
    "sidecar": {"containers": [MAIN], "initContainers": [{"name": "s", "image": "s:1", "restartPolicy": "Always"}]},
    "never": {"containers": [{**MAIN, "imagePullPolicy": "Never"}]},
    "job": {"containers": [MAIN], "restartPolicy": "Never"},
    "host": {"containers": [MAIN], "hostNetwork": True},
    "slow": {"containers": [{**MAIN, "readinessProbe": {"tcpSocket": {"port": 1}, "initialDelaySeconds": 3}}]},
    "config": {"containers": [{**MAIN, "envFrom": [{"configMapRef": {"name": "wanted"}}]}]},
    "wrong": {"containers": [{"name": "main", "image": "WEB:1:2"}]},
}


class Watched:
    """Compares every step that is taken with the one thought out anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = self.compared = 0
        advance, anew = Lives.advance, pods.step_of
        monkeypatch.setattr("kctl.kubelet.likeness.step_of", self._counted)
        self._anew = anew

        def checked(lives: Lives, pod: Obj, node: Obj | None, known: Known, now: float) -> Step:
            self.taken += 1
            step = advance(lives, pod, node, known, now)
            assert step == pods.advance(pod, node, known, now, lives._profile)
            return step

        monkeypatch.setattr(Lives, "advance", checked)

    def _counted(self, *args: Any) -> Any:
        self.taken -= 1
        self.compared += 1
        return self._anew(*args)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(SPECS)), st.integers(1, 4), st.booleans()), min_size=1, max_size=3),
    st.sampled_from(
        [Profile(), Profile(image_pull=0.0), Profile(container_start=0.0), Profile(image_pull=0.0, container_start=0.0)]
    ),
)
@settings(max_examples=12, deadline=None)
def test_steps_taken_are_those_of_the_pod_itself(groups: list[tuple[str, int, bool]], profile: Profile) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        watched = Watched(monkeypatch)
        world = World(profile, "none")
        for name in ("n1", "n2"):
            world.node(name)
        for n, (kind, count, is_deleted) in enumerate(groups):
            template = {"apiVersion": "v1", "kind": "Pod", "spec": SPECS[kind]}
            made = world.client.create_many(
                "pods", template, [{"name": f"{kind}-{n}-{k}", "namespace": "default"} for k in range(count)]
            )
            for k, pod in enumerate(made):
                world.client.bind(Key("default", pod["metadata"]["name"]), pod["metadata"]["uid"], f"n{k % 2 + 1}")
            if is_deleted:
                world.until(world.now + 2)
                world.client.delete("pods", Key("default", made[0]["metadata"]["name"]))
        world.settle()
        addresses = [
            pod["status"]["podIP"]
            for pod in world.pods()
            if pod["status"]["phase"] in ("Pending", "Running")
            if not pod["spec"].get("hostNetwork") and "podIP" in pod["status"]
        ]
        assert watched.compared
        assert len(addresses) == len(set(addresses))


def test_pods_of_one_template_are_thought_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    world = World(Profile(), "none")
    for n in range(20):
        world.node(f"n{n}")
    template = {"apiVersion": "v1", "kind": "Pod", "spec": SPECS["plain"]}
    made = world.client.create_many("pods", template, [{"name": f"p-{k}", "namespace": "default"} for k in range(20)])
    for k, pod in enumerate(made):
        world.client.bind(Key("default", pod["metadata"]["name"]), pod["metadata"]["uid"], f"n{k}")
    world.settle()
    assert [pod["status"]["phase"] for pod in world.pods()] == ["Running"] * 20
    assert watched.compared < 10 < watched.taken
