"""Properties of whole runs: the order of control loops changes nothing; a run at rest writes nothing.

Every sample, with and without a scenario that is played on it.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl import ControlPlane
from kctl.api.objects import Obj
from kctl.runtime.manager import Manager

SAMPLES = Path(__file__).parents[2] / "samples"
SCENARIOS = "scenarios.sim.kctl.dev"
NO_MANIFESTS = ("Cluster", "Scenario", "KubeSchedulerConfiguration")


def documents(folder: Path) -> list[Obj]:
    """Return the manifests of a sample, Namespaces first."""
    found = [
        document
        for path in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("kind") not in NO_MANIFESTS
    ]
    return sorted(found, key=lambda document: document["kind"] != "Namespace")


FOLDERS = sorted({path.parent.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.yaml")})
CASES: dict[str, tuple[str, str | None]] = {
    **{folder: (folder, None) for folder in FOLDERS if documents(SAMPLES / folder)},
    "zone-loss": ("what-if/database", "what-if/zone-loss.yaml"),
    "zone-back": ("what-if/database", "what-if/zone-back.yaml"),
}
MOVING = ("resourceVersion", "managedFields", "uid")


def run(case: str, *, shuffle_loops: int = 0) -> tuple[ControlPlane, Obj]:
    """Create what a sample has, play its scenario, converge; return the plane, still open, and the Report."""
    sample, scenario = CASES[case]
    cp = ControlPlane.open(None, nodes=6, cloud="local")
    if shuffle_loops:
        mix(cp.converger.manager, shuffle_loops)
    for document in documents(SAMPLES / sample):
        kind = cp.server.registry.by_kind(document["apiVersion"], document["kind"])
        assert kind is not None
        if kind.namespaced:
            document["metadata"].setdefault("namespace", "default")
        cp.client.apply(kind.resource, document, field_manager="test")
    if scenario is not None:
        cp.client.create(SCENARIOS, yaml.safe_load((SAMPLES / scenario).read_text()))
    return cp, cp.converge("3h")


def mix(manager: Manager, seed: int) -> None:
    """Let the loops of each level run in another order."""
    chance = random.Random(seed)
    places = {loop.name: chance.random() for loop in manager.loops}
    manager.loops.sort(key=lambda loop: (loop.level, places[loop.name]))


def state(cp: ControlPlane) -> dict[str, Any]:
    """Return everything there is, without what counts writes."""
    found = {}
    for kind in cp.server.registry.all():
        if "list" in kind.verbs and cp.server.registry.storage(kind.resource) == kind and kind.plural != "events":
            found[kind.resource] = [_still(obj) for obj in cp.client.list(kind.resource).items]
    return found


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _still(below) for name, below in value.items() if name not in MOVING}
    return [_still(below) for below in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES)
def test_converging_a_converged_cluster_writes_nothing_with_the_mark_passed_over(case: str) -> None:
    cp, report = run(case)
    with cp:
        for is_fresh in (False, True):
            if is_fresh:
                cp.converger.drop()
            cp.use_mark(False)
            again = cp.converge()
            assert again["revision"] == report["revision"], again["timeline"]
            assert again["verdict"] == report["verdict"]
            assert again["consequence"] == []
            assert again["virtualSeconds"] == 0


@pytest.mark.parametrize("case", ["web-shop", "zone-loss"])
@pytest.mark.parametrize("seed", [1])
def test_the_order_of_control_loops_changes_no_byte_of_the_outcome(case: str, seed: int) -> None:
    cp, report = run(case)
    other, other_report = run(case, shuffle_loops=seed)
    with cp, other:
        assert json.dumps(state(other), sort_keys=True) == json.dumps(state(cp), sort_keys=True)
        for name in ("verdict", "residual", "virtualSeconds"):
            assert other_report[name] == report[name]
