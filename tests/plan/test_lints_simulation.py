"""Lints of the annotations that say how the simulated world misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kctl import ControlPlane
from kctl.gitops import manifests, targets
from kctl.plan import lints

POD = """apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    {}
spec: {{containers: [{{name: c, image: a}}], initContainers: [{{name: i, image: a}}]}}
"""
CRON = """apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        metadata:
          annotations:
            sim.kctl.dev/run: forever
        spec: {restartPolicy: Never, containers: [{name: c, image: a}]}
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
  annotations:
    sim.kctl.dev/ready-after: 5s
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: a}]}
"""
NODE = "apiVersion: v1\nkind: Node\nmetadata:\n  name: a\n  annotations:\n    {}\n"
MISTAKES = {
    "a duration": (POD.format("sim.kctl.dev/ready-after: soon"), 6, "'soon' cannot be read"),
    "a code": (POD.format('sim.kctl.dev/exit-code.c: "256"'), 6, "it is not from 0 to 255"),
    "a name": (POD.format("sim.kctl.dev/crash: 1s"), 6, "no such annotation; known are cpu, disk, exit-code"),
    "a container": (POD.format("sim.kctl.dev/run.web: 1s"), 6, 'there is no container "web"; there are c, i'),
    "a template": (CRON, 11, "spec.jobTemplate.spec.template.metadata.annotations[sim.kctl.dev/run]: 'forever'"),
    "a workload": (DEPLOYMENT, 6, "it belongs into spec.template.metadata.annotations"),
    "a node's state": (NODE.format("sim.kctl.dev/state: ill"), 6, "it is none of running"),
    "a node's pressure": (NODE.format("sim.kctl.dev/pressure: disk, cpu"), 6, "'cpu' cannot be read"),
    "a node's name": (NODE.format("sim.kctl.dev/ready-after: 5s"), 6, "no such annotation of a node"),
}
FINE = {
    "a pod": POD.format("{sim.kctl.dev/ready-after: 5s, sim.kctl.dev/run.i: never}"),
    "a node": NODE.format("{sim.kctl.dev/state: dead, sim.kctl.dev/pressure: 'disk, pid', sim.kctl.dev/boot: two}"),
    "what stands beside": POD.format("{kctl.dev/x: soon, sim.example.com/run: soon}"),
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    with ControlPlane.open(None) as cp:
        yield cp


def findings(cp: ControlPlane, folder: Path, text: str) -> list[lints.Finding]:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    read = manifests.load([str(file)], options=manifests.Options())
    return lints.check(cp.client, targets.resolve(read, cp.server.registry))


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES.values(), ids=MISTAKES)
def test_an_annotation_without_effect_is_found_at_its_line(
    cluster: ControlPlane, tmp_path: Path, text: str, line: int, words: str
) -> None:
    [found] = findings(cluster, tmp_path, text)
    assert found.line == line
    assert found.file.endswith("a.yaml")
    assert found.code == ("misplaced-simulation" if text == DEPLOYMENT else "unreadable-simulation")
    assert words in found.message


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_annotations_that_can_be_read_are_left_alone(cluster: ControlPlane, tmp_path: Path, text: str) -> None:
    assert findings(cluster, tmp_path, text) == []
