"""What the full benchmark applies: directories of manifests, made anew each time.

In: a folder and how many of what. Out: one file a manifest, and a kctl.yaml beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CLUSTER = """\
apiVersion: kctl.dev/v1
kind: Cluster
metadata: {{name: benchmark}}
spec:
  nodeGroups: [{{name: node, count: {nodes}, type: "4cpu,16Gi", pods: 110}}]
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-{n}
  labels: {{app: app-{n}}}
data:
  level: info
  key-{n}: value-{n}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels: {{app: app-{n}}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: app-{n}}}
  template:
    metadata:
      labels: {{app: app-{n}}}
    spec:
      containers:
        - name: main
          image: example.com/app:{n}
          ports: [{{containerPort: 8080}}]
          resources:
            requests: {{cpu: {cpu}, memory: {memory}}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: app-{n}
spec:
  selector: {{app: app-{n}}}
  ports:
    - port: 80
      targetPort: 8080
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: secret-{n}
stringData:
  token: t-{n}
"""
ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: account-{n}
"""


class Scenario(NamedTuple):
    """A directory to apply, and what that may cost (CPU seconds, MB; 0 for no limit)."""

    name: str
    nodes: int
    write: Callable[[Path], None]
    pods: int
    cpu: float = 0.0
    memory: float = 0.0


def mixed(folder: Path) -> None:
    """Write 1,000 small manifests: 40 % ConfigMaps, 20 % Deployments, 20 % Services, Secrets, ServiceAccounts."""
    for n in range(0, 1000, 10):
        texts = [CONFIG_MAP.format(n=n + k) for k in range(4)]
        for k in (4, 5):
            texts.append(DEPLOYMENT.format(n=n + k, replicas=1, cpu="10m", memory="16Mi"))
            texts.append(SERVICE.format(n=n + k))
        texts += [SECRET.format(n=n + 8), ACCOUNT.format(n=n + 9)]
        for k, text in enumerate(texts):
            (folder / f"{n + k:05}.yaml").write_text(text, encoding="utf-8")


def deployments(count: int, replicas: int) -> Callable[[Path], None]:
    """Return what writes ``count`` Deployments of ``replicas`` pods each."""

    def write(folder: Path) -> None:
        for n in range(count):
            text = DEPLOYMENT.format(n=n, replicas=replicas, cpu="100m", memory="128Mi")
            (folder / f"{n:05}.yaml").write_text(text, encoding="utf-8")

    return write


SCENARIOS = {
    "mixed": Scenario("1,000 mixed manifests, empty state", 10, mixed, 200, 3.0),
    "fleet": Scenario("10,000 pods of 100 Deployments, 500 nodes", 500, deployments(100, 100), 10_000, 12.0, 300),
    "giant": Scenario("one Deployment of 10,000, 500 nodes", 500, deployments(1, 10_000), 10_000, 6.0),
    "small-fleet": Scenario("5,000 pods of 50 Deployments, 250 nodes", 250, deployments(50, 100), 5_000),
    "large-fleet": Scenario("20,000 pods of 200 Deployments, 1,000 nodes", 1000, deployments(200, 100), 20_000),
}


def prepare(scenario: Scenario, folder: Path) -> None:
    """Write a scenario's manifests to ``folder/m`` and its cluster beside them."""
    manifests = folder / "m"
    manifests.mkdir(parents=True, exist_ok=True)
    scenario.write(manifests)
    (folder / "kctl.yaml").write_text(CLUSTER.format(nodes=scenario.nodes), encoding="utf-8")
