"""Controllers without an object to look after are not there; with the first they are, and miss nothing."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.controllers import ABOUT, build
from kctl.runtime.dormant import Dormant
from kctl.runtime.loop import ControllerLoop

STS = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        },
    },
}


def kinds(cp: ControlPlane) -> dict[str, type]:
    return {loop.name: type(loop) for loop in cp.converger.manager.loops if loop.name in ABOUT}


def test_a_controller_comes_with_the_first_object_of_its_kind():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.run()
        assert set(kinds(cp).values()) == {Dormant}
        cp.client.create("statefulsets.apps", STS)
        cp.run()
        assert kinds(cp)["statefulset-controller"] is ControllerLoop
        assert kinds(cp)["daemonset-controller"] is Dormant
        assert [pod["metadata"]["name"] for pod in cp.client.list("pods").items] == ["db-0", "db-1"]


def test_each_is_there_once(tmp_path):
    with ControlPlane.open(tmp_path / "c", nodes=1) as cp:
        cp.client.create("statefulsets.apps", STS)
        cp.run()
        cp.commit()
    with ControlPlane.open(tmp_path / "c") as cp:
        cp.use_mark(False)
        cp.run()
        names = [loop.name for loop in cp.converger.manager.loops]
        assert len(names) == len(set(names))
        assert kinds(cp)["statefulset-controller"] is ControllerLoop


@pytest.mark.parametrize("name", sorted(ABOUT))
def test_what_a_controller_waits_for_is_what_it_watches(name):
    (controller,) = build([name])
    assert set(ABOUT[name]) & {watch.resource for watch in controller.watches}
