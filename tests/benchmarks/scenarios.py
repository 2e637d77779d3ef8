"""What the full benchmark applies: directories of manifests, made anew each time, and what is done next.

In: a folder and how many of what. Out: one file a manifest, a kctl.yaml beside them, and the commands to measure.
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
  nodeGroups: [{groups}]
"""
GROUP = '{{name: {name}, count: {count}, type: "4cpu,16Gi", pods: 110{more}}}'
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
STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db-{n}
spec:
  serviceName: db-{n}
  replicas: {replicas}
  selector:
    matchLabels: {{app: db-{n}}}
  template:
    metadata:
      labels: {{app: db-{n}}}
    spec:
      containers:
        - name: main
          image: example.com/db:{n}
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
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
HEADLESS = """\
apiVersion: v1
kind: Service
metadata:
  name: db-{n}
spec:
  clusterIP: None
  selector: {{app: db-{n}}}
  ports:
    - port: 80
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
APPLY = ("apply", "-f", "m")
Write = Callable[[Path], None]


class Step(NamedTuple):
    """One command that is measured, and what is changed on disk before it; ``codes`` it may end with."""

    name: str
    args: tuple[str, ...]
    cpu: float = 0.0
    memory: float = 0.0
    before: Write | None = None
    codes: tuple[int, ...] = (0,)


class Scenario(NamedTuple):
    """A directory to apply, and what that may cost (CPU seconds, MB; 0 for no limit); then further steps."""

    name: str
    nodes: int
    write: Write
    pods: int
    cpu: float = 0.0
    memory: float = 0.0
    steps: tuple[Step, ...] = ()
    zones: int = 1

    def cluster(self) -> str:
        """Return the kctl.yaml of the scenario."""
        if self.zones == 1:
            return CLUSTER.format(groups=GROUP.format(name="node", count=self.nodes, more=""))
        groups = (
            GROUP.format(name=f"zone{n}", count=self.nodes // self.zones, more=f", zones: [z{n}]")
            for n in range(self.zones)
        )
        return CLUSTER.format(groups=", ".join(groups))


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


def deployments(count: int, replicas: int) -> Write:
    """Return what writes ``count`` Deployments of ``replicas`` pods each."""

    def write(folder: Path) -> None:
        for n in range(count):
            text = DEPLOYMENT.format(n=n, replicas=replicas, cpu="100m", memory="128Mi")
            (folder / f"{n:05}.yaml").write_text(text, encoding="utf-8")

    return write


def another_image(folder: Path) -> None:
    """Give every Deployment another image."""
    for path in (folder / "m").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("example.com/app:", "example.com/app:v2-"), encoding="utf-8")


def services(count: int) -> Write:
    """Return what adds a Service for each of the first Deployments."""

    def write(folder: Path) -> None:
        for n in range(count):
            (folder / "m" / f"service-{n:05}.yaml").write_text(SERVICE.format(n=n), encoding="utf-8")

    return write


def stateful(replicas: int, *, with_service: bool = False) -> Write:
    """Return what writes one StatefulSet whose pods start one after the other, and its headless Service."""

    def write(folder: Path) -> None:
        (folder / "db.yaml").write_text(STATEFUL_SET.format(n=0, replicas=replicas), encoding="utf-8")
        if with_service:
            (folder / "service.yaml").write_text(HEADLESS.format(n=0), encoding="utf-8")

    return write


def in_namespace(maps: int, count: int, replicas: int) -> Write:
    """Return what writes a namespace with ConfigMaps and Deployments."""

    def write(folder: Path) -> None:
        (folder / "0.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: doomed}\n", encoding="utf-8")
        texts = [CONFIG_MAP.format(n=n) for n in range(maps)]
        texts += [DEPLOYMENT.format(n=n, replicas=replicas, cpu="100m", memory="128Mi") for n in range(count)]
        placed = [text.replace("metadata:\n", "metadata:\n  namespace: doomed\n", 1) for text in texts]
        (folder / "all.yaml").write_text("---\n".join(placed), encoding="utf-8")

    return write


def fleet(deployments_: int, *, cpu: float = 0.0, memory: float = 0.0, steps: tuple[Step, ...] = ()) -> Scenario:
    """Return a scenario of Deployments of 100 pods, 30 pods a node."""
    pods, nodes = deployments_ * 100, deployments_ * 10 // 3
    name = f"{pods:,} pods of {deployments_:,} Deployments, {nodes:,} nodes"
    return Scenario(name, nodes, deployments(deployments_, 100), pods, cpu, memory, steps)


CONVERGED = (
    Step("  converged again, by the mark", ("converge",), 1.0),
    Step("  converged again, --full", ("converge", "--full"), 15.0),
)
ZONE = ("plan", "--what-if", "zone:z0=die@30s", "--timeout", "30m", "--no-diff")
SCENARIOS = {
    "mixed": Scenario(
        "1,000 mixed manifests, empty state",
        10,
        mixed,
        200,
        3.0,
        steps=(Step("  applied again, unchanged", APPLY, 1.0),),
    ),
    "fleet": Scenario(
        "10,000 pods of 100 Deployments, 500 nodes",
        500,
        deployments(100, 100),
        10_000,
        12.0,
        300,
        (
            Step("  converged again, by the mark", ("converge",), 0.3),
            Step("  converged again, --full", ("converge", "--full")),
        ),
    ),
    "giant": Scenario("one Deployment of 10,000, 500 nodes", 500, deployments(1, 10_000), 10_000, 4.0),
    "small-fleet": Scenario("5,000 pods of 50 Deployments, 250 nodes", 250, deployments(50, 100), 5_000),
    "large-fleet": Scenario("20,000 pods of 200 Deployments, 1,000 nodes", 1000, deployments(200, 100), 20_000),
}
LARGE = {
    "tenth": fleet(150, cpu=12.0, steps=CONVERGED),
    "giant": SCENARIOS["giant"],
    "rolling": Scenario(
        "one Deployment of 5,000, 250 nodes",
        250,
        deployments(1, 5_000),
        5_000,
        steps=(Step("  its 5,000 pods updated, rolling", APPLY, 5.0, before=another_image),),
    ),
    "services": Scenario(
        "20,000 pods of 1,000 Deployments, 1,000 nodes",
        1000,
        deployments(1000, 20),
        20_000,
        steps=(Step("  a Service for each Deployment", APPLY, 6.0, before=services(1000)),),
    ),
    "statefulset": Scenario("1,000 ordered replicas of a StatefulSet, 50 nodes", 50, stateful(1000), 1000, 2.0),
    "statefulset-service": Scenario(
        "1,000 ordered replicas behind a headless Service, 50 nodes", 50, stateful(1000, with_service=True), 1000, 5.0
    ),
    "namespace-delete": Scenario(
        "a namespace of 10,000 ConfigMaps and 10,000 pods",
        500,
        in_namespace(10_000, 100, 100),
        10_000,
        steps=(Step("  the namespace deleted", ("delete", "namespace", "doomed"), 3.0),),
    ),
    "zone-death": Scenario(
        "90,000 pods of 900 Deployments, 3 zones of 1,000 nodes",
        3000,
        deployments(900, 100),
        90_000,
        zones=3,
        steps=(Step("  a zone dies, its pods are evicted", ZONE, 15.0, codes=(0, 3)),),
    ),
}
WHOLE = {"large-fleet": fleet(1500, cpu=180.0, memory=4000, steps=CONVERGED)}
"""What takes minutes."""


def prepare(scenario: Scenario, folder: Path) -> None:
    """Write a scenario's manifests to ``folder/m`` and its cluster beside them."""
    manifests = folder / "m"
    manifests.mkdir(parents=True, exist_ok=True)
    scenario.write(manifests)
    (folder / "kctl.yaml").write_text(scenario.cluster(), encoding="utf-8")
