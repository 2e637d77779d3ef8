"""Ephemeral containers: they start beside the others, once, and end when somebody says so."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Obj
from tests.kubelet.world import World


def a_pod(**notes: str) -> Obj:
    says = {f"sim.kctl.dev/{name.replace('__', '.').replace('_', '-')}": text for name, text in notes.items()}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "a"}]}
    meta = {"name": "p", "namespace": "default", "annotations": says}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def debug(world: World, image: str = "busybox", name: str = "debugger") -> None:
    pod = world.pod()
    found = [*pod["spec"].get("ephemeralContainers", []), {"name": name, "image": image, "targetContainerName": "c"}]
    changed = {**pod, "spec": {**pod["spec"], "ephemeralContainers": found}}
    world.client.update("pods", changed, subresource="ephemeralcontainers")
    world.settle()


def status(world: World, number: int = 0) -> Any:
    return world.pod()["status"]["ephemeralContainerStatuses"][number]


def test_it_starts_and_the_pod_is_as_it_was(world: World) -> None:
    world.create(a_pod())
    world.settle()
    before = world.pod()["status"]
    debug(world)
    assert "running" in status(world)["state"]
    assert (status(world)["ready"], status(world)["restartCount"], "started" in status(world)) == (False, 0, False)
    after = world.pod()["status"]
    assert (after["phase"], after["containerStatuses"]) == (before["phase"], before["containerStatuses"])
    assert after["observedGeneration"] == world.pod()["metadata"]["generation"] == 2
    found = [e for e in world.list("events") if "{debugger}" in e["involvedObject"].get("fieldPath", "")]
    assert [e["reason"] for e in found] == ["Pulled", "Created", "Started"]
    assert found[0]["involvedObject"]["fieldPath"] == "spec.ephemeralContainers{debugger}"
    assert world.undecided() == []
    debug(world, name="again")
    assert status(world, 1)["containerID"] != status(world)["containerID"]


@pytest.mark.parametrize("code", ["0", "3"])
def test_it_ends_once_and_is_not_run_again(world: World, code: str) -> None:
    world.create(a_pod(run__debugger="5s", exit_code__debugger=code))
    world.settle()
    debug(world)
    assert status(world)["state"]["terminated"]["exitCode"] == int(code)
    assert (status(world)["restartCount"], world.pod()["status"]["phase"]) == (0, "Running")
    assert world.undecided() == []


def test_an_image_without_a_name_is_said(world: World) -> None:
    world.create(a_pod())
    world.settle()
    debug(world, "Not An Image")
    assert status(world)["state"]["waiting"]["reason"] == "InvalidImageName"
    assert world.undecided() == []


def test_it_ends_with_its_pod(world: World) -> None:
    pod = a_pod()
    pod["metadata"]["finalizers"] = ["example.com/stay"]
    world.create(pod)
    world.settle()
    debug(world)
    world.delete()
    world.settle()
    assert "terminated" in status(world)["state"]
    assert world.pod()["status"]["phase"] in ("Succeeded", "Failed")
    assert world.undecided() == []
