"""The sample of a lost zone, and a scenario in which everything goes wrong once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

SCENARIOS = ("zone-loss.yaml", "zone-back.yaml")


def test_the_sample_prints_what_it_says(kctl: Any, samples: Path, pytestconfig: pytest.Config) -> None:
    shutil.copytree(samples / "what-if", kctl.folder, dirs_exist_ok=True)
    expected = samples / "what-if" / "expected.txt"
    words = ("plan", "-f", "database", "--timeline", "--no-diff", "--scenario")
    said = "".join(kctl(*words, name, code=0).out for name in SCENARIOS)
    if pytestconfig.getoption("--rewrite"):
        expected.write_text(said, encoding="utf-8")
    assert without_counts(said) == without_counts(expected.read_text(encoding="utf-8"))


def without_counts(text: str) -> str:
    """Return a report without what every write of any component moves: revisions, and names made of uids."""
    return re.sub(r"revision \d+|pvc-[0-9a-f-]{36}|boot id: [0-9a-f-]{36}", "", text)


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: c
        image: example/NAME:v1
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 5}
        livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 5}
        resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}}
---"""
OTHERS = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  backoffLimit: 1
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: "example/migrate:v1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, selector: {app: good}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: good}
spec: {minAvailable: 8, selector: {matchLabels: {app: good}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  containers: [{name: c, image: "example/w:v1", volumeMounts: [{name: d, mountPath: /d}]}]
  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Pod
metadata: {name: secretive}
spec: {nodeSelector: {kubernetes.io/hostname: node-8}, containers: [{name: c, image: "example/s:v1", envFrom: [{secretRef: {name: nosuch}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: giant}
spec: {containers: [{name: c, image: "example/g:v1", resources: {requests: {cpu: "64"}}}]}
"""
EVERYTHING = """
apiVersion: sim.kctl.dev/v1
kind: Scenario
metadata: {name: everything}
profile: {imagePull: 3s, seed: 7}
images:
- {match: example/imageless, pull: fail, error: "unauthorized: no such user"}
workloads:
- {match: {kind: Deployment, name: crash}, crash: {exitCode: 3, after: 3s}}
- {match: {kind: Deployment, name: unready}, ready: never}
- {match: {kind: Deployment, name: hang}, unhealthy: {after: 20s}}
- {match: {kind: Deployment, name: greedy}, usage: {cpu: 100m, memory: 300Mi}}
- {match: {kind: Job, name: migrate}, run: 40s, exitCode: 1}
events:
- {at: 0s, cloud: {op: ensure_lb, error: QuotaExceeded, message: "QuotaExceeded: 0 load balancers allowed"}}
- {at: 0s, cloud: {op: create_volume, error: ResourceExhausted, message: no space left in the pool}}
- {at: 10s, node: node-7, do: pressure memory}
- {at: 30s, node: node-6, do: die}
- {at: 40s, node: node-5, do: terminate}
- {at: 50s, node: node-4, do: reboot}
- {at: 1m, node: "node-[123]", do: drain}
- {at: 2m, node: node-8, do: cordon, for: 10s}
- {at: 130s, do: scale deploy/nosuch 3}
expect:
- restarts(deploy/crash) >= 3
- warnings(OOMKilling) + restarts(deploy/greedy) >= 3
- condition(job/migrate, Failed)
- blocked(DrainBlocked) >= 1
- not exists(node/node-5)
"""
CAUSES = {
    "deployment.apps/imageless": ("ImagePullBackOff", "unauthorized: no such user"),
    "deployment.apps/crash": ("CrashLoopBackOff", "restarting failed container"),
    "deployment.apps/hang": ("CrashLoopBackOff", "restarting failed container"),
    "deployment.apps/greedy": ("CrashLoopBackOff", "restarting failed container"),
    "deployment.apps/unready": ("Unhealthy", "Readiness probe failed"),
    "job.batch/migrate": ("BackoffLimitExceeded", "backoff limit"),
    "service/front": ("SyncLoadBalancerFailed", "0 load balancers allowed"),
    "pod/writer": ("ProvisioningFailed", "no space left in the pool"),
    "pod/secretive": ("CreateContainerConfigError", 'secret "nosuch" not found'),
    "pod/giant": ("Unschedulable", "Insufficient cpu"),
    "node/node-6": ("NodeStatusUnknown", "Kubelet stopped posting node status"),
}
"""What each thing that is not as desired is to be explained with."""


def test_a_scenario_with_every_failure_once_is_a_report_that_names_every_cause(kctl: Any) -> None:
    names = ("imageless", "crash", "unready", "hang", "greedy")
    good = DEPLOYMENT.replace("NAME", "good").replace("replicas: 2", "replicas: 8")
    kctl.write("k8s/all.yaml", "".join(DEPLOYMENT.replace("NAME", name) for name in names) + good + OTHERS)
    kctl.write("everything.yaml", EVERYTHING)
    kctl.write("kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {nodes: 8}\n")
    report = kctl("plan", "-f", "k8s", "--scenario", "everything.yaml", "-o", "json", code=0).json()
    told = {(entry["owner"], entry["reason"]): entry["message"] for entry in report["residual"]}
    for owner, (reason, words) in CAUSES.items():
        assert words in told.get((owner, reason), ""), (owner, reason, sorted(told))
    assert any(
        "violate the pod's disruption budget" in m for (_, reason), m in told.items() if reason == "DrainBlocked"
    )
    assert report["verdict"] == "Settled"
    assert [entry["holds"] for entry in report["expectations"]] == [True] * 5
    assert [
        '+130s deploy/nosuch scaled to 3: deployments.apps "nosuch" not found' in w
        for w in report["warnings"]
        if "scenario" in w
    ] == [True]
    rows = [row["what"] for row in report["timeline"]]
    for what in ("node/node-6 dies", "node/node-5 is terminated", "node/node-4 reboots", "node/node-7 memory pressure"):
        assert what in rows
