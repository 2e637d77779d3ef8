"""kctl fit: how many pods fit, where, and what stops the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Kctl

SMALL = """
apiVersion: kctl.dev/v1
kind: Cluster
metadata: {name: small}
spec: {nodes: 2, nodeType: "2cpu,4Gi"}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  containers: [{name: c, image: 'nginx:1', resources: {requests: {cpu: 600m}}}]
"""
WEB = """
apiVersion: apps/v1
kind: %s
metadata: {name: web}
spec:
  replicas: 3
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: 'nginx:1', resources: {requests: {cpu: 900m}}}]
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  parallelism: 5
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: 'sum:1', resources: {requests: {cpu: '1'}}}]
"""
SPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {pod-security.kubernetes.io/enforce: %s}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: share, namespace: team}
spec: {hard: {requests.cpu: '1'}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes, namespace: team}
spec: {limits: [{type: Container, defaultRequest: {cpu: 250m}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: team}
spec: {containers: [{name: c, image: 'nginx:1'}]}
"""


@pytest.fixture
def small(kctl: Kctl) -> Kctl:
    kctl.write("kctl.yaml", SMALL)
    return kctl


def test_pods_of_a_file_fill_the_nodes_and_the_next_is_told_why_not(small: Kctl) -> None:
    small.write("pod.yaml", POD)
    found = small("fit", "-f", "pod.yaml", "-o", "json").json()
    assert (found["fits"], found["zones"]) == (6, {"local-a": 3, "local-b": 3})
    assert [(node["name"], node["pods"], node["free"]["cpu"]) for node in found["nodes"]] == [
        ("node-1", 3, "200m"),
        ("node-2", 3, "200m"),
    ]
    assert found["limit"]["by"] == "nodes"
    assert found["limit"]["why"] == "2 Insufficient cpu (short 400m)"
    assert found["limit"]["remedies"][0]["text"].startswith("2 nodes pass with 400m less cpu requested")
    assert not (small.folder / ".kctl").exists()


def test_the_replicas_asked_for_decide_the_exit_code(small: Kctl) -> None:
    small.write("pod.yaml", POD)
    assert "6 pods fit on 2 of 2 nodes (6 asked for)" in small("fit", "-f", "pod.yaml", "--replicas", "6").out
    assert "What stops the next" in small("fit", "-f", "pod.yaml", "--replicas", "7", code=3).out


DEPLOYMENT = (WEB % "Deployment").replace("  serviceName: web\n", "")


@pytest.mark.parametrize(("text", "code"), [(DEPLOYMENT, 0), (WEB % "StatefulSet", 0), (JOB, 3)])
def test_a_workload_is_measured_by_its_template_and_by_what_it_wants(small: Kctl, text: str, code: int) -> None:
    small.write("web.yaml", text)
    assert small("fit", "-f", "web.yaml", "-o", "json", code=code).json()["fits"] == 4


def test_of_what_runs_already_it_says_how_many_more(small: Kctl) -> None:
    small.write("web.yaml", DEPLOYMENT)
    small("apply", "-f", "web.yaml")
    before = small("get", "pods", "-o", "name").out
    assert "deployment.apps/web: 1 pod fits on 1 of 2 nodes (3 wanted)" in small("fit", "deploy/web").out
    assert small("get", "pods", "-o", "name").out == before


def test_limit_ranges_and_quotas_of_the_same_files_count(small: Kctl) -> None:
    small.write("all.yaml", SPACE % "privileged")
    ran = small("fit", "-f", "all.yaml")
    assert "team/pod/one: 4 pods fit" in ran.out
    assert 'A quota stops the next: pods "one-fit" is forbidden: exceeded quota: share' in ran.out


def test_what_pod_security_refuses_does_not_fit(small: Kctl) -> None:
    small.write("all.yaml", SPACE % "restricted")
    assert 'all.yaml:16: pods "one" is forbidden: violates PodSecurity' in small("fit", "-f", "all.yaml", code=1).err
    space = (SPACE % "restricted").split("---")[0]
    small.write("all.yaml", f"{space}---{DEPLOYMENT.replace('name: web}', 'name: web, namespace: team}', 1)}")
    ran = small("fit", "-f", "all.yaml", code=3)
    assert 'It is not let in: pods "web-fit" is forbidden: violates PodSecurity "restricted:latest"' in ran.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "give manifests with -f PATH, or an object as TYPE/NAME"),
        (("svc/web",), "not found"),
        (("-f", "none.yaml"), "none.yaml"),
        (("-f", "two.yaml"), "want one Pod or workload in these files, found pod/one, pod/two"),
        (("-f", "bad.yaml"), "bad.yaml:2: "),
    ],
)
def test_what_cannot_be_measured_is_said(small: Kctl, args: tuple[str, ...], says: str) -> None:
    small.write("two.yaml", f"{POD}---{POD.replace('one', 'two')}")
    small.write("bad.yaml", POD.replace("600m", "-1"))
    assert says in small("fit", *args, code=None).err


DAEMONS = DEPLOYMENT.replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 3\n", "")


@pytest.mark.parametrize(("cpu", "fits", "says"), [("900m", 2, ""), ("3", 0, "2 Insufficient cpu (short 1)")])
def test_of_a_daemon_set_one_pod_goes_to_every_node(small: Kctl, cpu: str, fits: int, says: str) -> None:
    small.write("agents.yaml", DAEMONS.replace("900m", cpu))
    ran = small("fit", "-f", "agents.yaml", "-o", "json", code=0 if fits else 3)
    assert ran.json()["fits"] == fits
    assert ran.json()["limit"]["why"] == says


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("schedulingGates: [{name: a.b/c}]", "Scheduling is blocked due to non-empty scheduling gates"),
        ("schedulerName: nobody", 'no scheduler named "nobody" runs here'),
        ("volumes: [{name: v, persistentVolumeClaim: {claimName: none}}]", 'persistentvolumeclaim "none" not found'),
    ],
)
def test_what_no_node_can_mend_is_said(small: Kctl, field: str, says: str) -> None:
    small.write("pod.yaml", f"{POD}  {field}\n")
    ran = small("fit", "-f", "pod.yaml", code=3)
    assert "0 pods fit" in ran.out
    assert says in ran.out


def test_many_nodes_share_a_line_unless_wide(kctl: Kctl, tmp_path: Path) -> None:
    kctl.write("kctl.yaml", SMALL.replace("nodes: 2", "nodes: 40"))
    kctl.write("pod.yaml", POD)
    assert len(kctl("fit", "-f", "pod.yaml").out.splitlines()) < 15
    wide = kctl("fit", "-f", "pod.yaml", "-o", "wide").out
    assert all(f"node-{n}\n" in wide for n in range(1, 41))
