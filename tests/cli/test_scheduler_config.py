"""The scheduler configuration in ``kctl.yaml``: inline or a file, with the lines of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

Cli = Any

CONFIG = """\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy: {type: MostAllocated}
  - name: PodTopologySpread
    args: {defaultingType: List}
"""
SHAPE = "apiVersion: kctl.dev/v1\nkind: Cluster\nspec:\n  nodes: 3\n  scheduler: %s\n"
PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      schedulerName: %s
      containers: [{name: c, image: x, resources: {requests: {cpu: 100m}}}]
"""


def inline(text: str) -> str:
    return SHAPE % "".join(f"\n    {line}" for line in text.splitlines())


def nodes(kctl: Cli) -> set[str]:
    return {pod["spec"].get("nodeName", "") for pod in kctl.get("pods")["items"]}


@pytest.mark.parametrize("where", ["inline", "file"])
def test_pods_go_where_their_scheduler_wants_them(kctl: Cli, where: str) -> None:
    kctl.write("kctl.yaml", inline(CONFIG) if where == "inline" else SHAPE % "sched.yaml")
    if where == "file":
        kctl.write("sched.yaml", CONFIG)
    kctl.write("web.yaml", PODS % "packer")
    kctl("apply", "-f", ".")
    assert len(nodes(kctl)) == 1
    kctl.write("web.yaml", PODS % "default-scheduler")
    kctl("apply", "-f", ".")
    assert len(nodes(kctl)) == 3


def test_a_scheduler_that_nobody_runs_is_named(kctl: Cli) -> None:
    kctl.write("web.yaml", PODS % "other")
    ran = kctl("apply", "-f", "web.yaml", code=3)
    assert 'NotScheduled: no scheduler "other" has looked at the pod' in ran.out
    assert 'no scheduler "other" has looked at the pod' in kctl("status", code=3).out


def test_a_new_configuration_tries_pending_pods_again(kctl: Cli) -> None:
    kctl.write("web.yaml", PODS % "packer")
    kctl("apply", "-f", "web.yaml", code=3)
    kctl.write("kctl.yaml", inline(CONFIG))
    kctl("converge")
    assert len(nodes(kctl)) == 1


WRONG = [
    pytest.param("bogus: 1", 11, "bogus: Invalid value: 1: unknown field; known are ", id="unknown field"),
    pytest.param("extenders: [{urlPrefix: x}]", 11, "extenders: Forbidden: kctl does not call", id="extenders"),
    pytest.param("parallelism: 0", 11, "parallelism: Invalid value: 0: should be an integer", id="not in range"),
]


@pytest.mark.parametrize(("line", "number", "message"), WRONG)
def test_mistakes_are_told_with_file_and_line(kctl: Cli, line: str, number: int, message: str) -> None:
    broken = f"{CONFIG}{line}\n"
    kctl.write("web.yaml", PODS % "packer")
    kctl.write("sched.yaml", broken)
    kctl.write("kctl.yaml", SHAPE % "sched.yaml")
    for verb in ("apply", "plan"):
        assert (
            f"sched.yaml:{number + 1}: KubeSchedulerConfiguration: {message}"
            in kctl(verb, "-f", "web.yaml", code=1).err
        )
    kctl.write("kctl.yaml", inline(broken))
    err = kctl("apply", "-f", "web.yaml", code=1).err
    assert f"kctl.yaml:{number + 6}: Cluster: spec.scheduler.{message}" in err


def test_an_unknown_plugin_stands_at_its_line(kctl: Cli) -> None:
    text = CONFIG.replace(
        "  pluginConfig:", "  plugins:\n    score:\n      enabled:\n      - name: Nope\n  pluginConfig:"
    )
    kctl.write("sched.yaml", text)
    kctl.write("kctl.yaml", SHAPE % "sched.yaml")
    err = kctl("plan", "-f", "sched.yaml", code=1).err
    assert (
        "sched.yaml:9: KubeSchedulerConfiguration: profiles[1].plugins.score.enabled[0].name: "
        'Invalid value: "Nope": ScorePlugin "Nope" does not exist' in err
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("missing.yaml", 'kctl.yaml:5: Cluster: spec.scheduler: Invalid value: "missing.yaml": there is no such file'),
        ("[]", "kctl.yaml:5: Cluster: spec.scheduler: Invalid value: []: must be a KubeSchedulerConfiguration or the"),
        ("web.yaml", "want kind KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1 here"),
        ("'.'", 'kctl.yaml:5: Cluster: spec.scheduler: Invalid value: ".": there is no such file'),
    ],
)
def test_where_there_is_no_configuration(kctl: Cli, value: str, message: str) -> None:
    kctl.write("web.yaml", PODS % "packer")
    kctl.write("kctl.yaml", SHAPE % value)
    assert message in kctl("apply", "-f", "web.yaml", code=1).err


def test_readers_need_no_configuration(kctl: Cli) -> None:
    kctl.write("web.yaml", PODS % "default-scheduler")
    kctl("apply", "-f", "web.yaml")
    kctl.write("kctl.yaml", SHAPE % "missing.yaml")
    assert len(nodes(kctl)) == 3
