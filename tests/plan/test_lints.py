"""Lints: each mistake is found at its line, what is none is left alone."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.gitops import manifests, targets
from kctl.gitops.sources import ManifestErrors
from kctl.plan import lints

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    with ControlPlane.open(None, nodes=1, authorization="Node,RBAC") as cp:
        cp.converge()
        yield cp


def found_in(cp: ControlPlane, folder: Path, text: str) -> list[tuple[str, int]]:
    """Return the codes and lines of what lints say about a text."""
    file = folder / "a.yaml"
    file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    read = manifests.load([str(file)], options=manifests.Options())
    return [(found.code, found.line) for found in lints.check(cp.client, targets.resolve(read, cp.server.registry))]


def deployment(name: str, *, labels: str = "", container: str = "", spec: str = "", top: str = "") -> str:
    """Return a Deployment in flow style; line 4 is its spec, 7 its pods' spec, 8 the container."""
    labels = labels or f"app: {name}"
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec: {{ {top or "replicas: 2"},
  selector: {{matchLabels: {{{labels}}}}},
  template: {{metadata: {{labels: {{{labels}}}}},
    spec: {{ {spec + "," if spec else ""}
      containers: [{{name: c, image: 'a:1'{", " + container if container else ""}}}]}}}}}}
"""


HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}
  maxReplicas: 5
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: %s}
  ports: [{port: 80, targetPort: %s}]
"""
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: %s}}
  %s
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front%s}
spec:
  ingressClassName: %s
  rules:
  - http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: %s}}}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut}
spec:
  podSelector: %s
  %s
"""
CLASS = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: own}\nspec: {controller: a.io/b}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {colour: red}\n"
NAMED = "ports: [{containerPort: 80, name: http}]"
WEB = deployment("web", container=NAMED)


def docs(*texts: str) -> str:
    return "---\n".join(text.lstrip("\n") for text in texts)


def env(kind: str, name: str, key: str = "colour", more: str = "") -> str:
    return f"env: [{{name: A, valueFrom: {{{kind}KeyRef: {{name: {name}, key: {key}{more}}}}}}}]"


MISTAKES = {
    "replicas-on-hpa-target": (docs(WEB, HPA % ("h", "web")), 4),
    "hpa-overlap": (docs(deployment("web", top="paused: false"), HPA % ("h", "web"), HPA % ("i", "web")), 14),
    "hpa-target-missing": (HPA % ("h", "web"), 5),
    "selector-overlap": (docs(deployment("a", labels="x: one"), deployment("b", labels="x: one, z: two")), 5),
    "service-selects-nothing": (docs(WEB, SERVICE % ("wbe", "http")), 14),
    "service-overlap": (
        docs(WEB, SERVICE % ("web", "http"), (SERVICE % ("web", "http")).replace("name: web}", "name: again}", 1)),
        21,
    ),
    "service-port-missing": (docs(WEB, SERVICE % ("web", "htpp")), 15),
    "probe-port-missing": (deployment("web", container=f"{NAMED}, livenessProbe: {{httpGet: {{port: web}}}}"), 8),
    "pdb-selects-nothing": (BUDGET % ("b", "web", "minAvailable: 1"), 5),
    "pdb-overlap": (
        docs(WEB, BUDGET % ("b", "web", "maxUnavailable: 1"), BUDGET % ("c", "web", "maxUnavailable: 1")),
        14,
    ),
    "pdb-never-allows": (docs(WEB, BUDGET % ("b", "web", "minAvailable: 60%")), 15),
    "missing-configmap": (deployment("web", container="envFrom: [{configMapRef: {name: conf}}]"), 8),
    "missing-secret": (deployment("web", container=env("secret", "conf")), 8),
    "missing-key": (docs(CONFIG, deployment("web", container=env("configMap", "conf", "size"))), 13),
    "missing-persistentvolumeclaim": (
        deployment("web", spec="volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),
        7,
    ),
    "missing-serviceaccount": (deployment("web", spec="serviceAccountName: robot"), 7),
    "missing-priorityclass": (deployment("web", spec="priorityClassName: high"), 7),
    "missing-runtimeclass": (deployment("web", spec="runtimeClassName: gvisor"), 7),
    "missing-ingressclass": (docs(WEB, SERVICE % ("web", "http"), INGRESS % ("", "nginx", "web", 80)), 21),
    "missing-service": (docs(CLASS, INGRESS % ("", "own", "web", 80)), 14),
    "missing-service-port": (docs(CLASS, WEB, SERVICE % ("web", "http"), INGRESS % ("", "own", "web", 81)), 30),
    "missing-clusterrole": (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: none}\n",
        4,
    ),
    "networkpolicy-cuts-off": (docs(WEB, SERVICE % ("web", "http"), POLICY % ("{}", "policyTypes: [Ingress]")), 20),
}

FINE = {
    "replicas without an autoscaler": WEB,
    "an autoscaler of what states no replicas": docs(deployment("web", top="paused: false"), HPA % ("h", "web")),
    "a headless Service beside another": docs(
        WEB,
        SERVICE % ("web", "http"),
        (SERVICE % ("web", "http")).replace("name: web}", "name: all}", 1).replace("spec:", "spec:\n  clusterIP: None"),
    ),
    "workloads with different labels": docs(deployment("a"), deployment("b")),
    "an optional reference": deployment("web", container=env("secret", "conf", more=", optional: true")),
    "a key that is there": docs(CONFIG, deployment("web", container=env("configMap", "conf"))),
    "what every namespace has": deployment(
        "web", spec="serviceAccountName: default, volumes: [{name: v, configMap: {name: kube-root-ca.crt}}]"
    ),
    "system priorities and roles": docs(
        deployment("web", spec="priorityClassName: system-cluster-critical"),
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n",
    ),
    "a budget that lets one go": docs(WEB, BUDGET % ("b", "web", "minAvailable: 50%")),
    "a number that nobody declares": docs(deployment("web"), SERVICE % ("web", "8080")),
    "a policy that opens the port by its name": docs(
        WEB,
        SERVICE % ("web", "http"),
        POLICY % ("{}", "ingress: [{ports: [{port: http}], from: [{podSelector: {}}]}]"),
    ),
    "a policy of what goes out": docs(WEB, SERVICE % ("web", "http"), POLICY % ("{}", "policyTypes: [Egress]")),
    "an Ingress whose Secret cert-manager brings": docs(
        CLASS,
        WEB,
        SERVICE % ("web", "http"),
        (INGRESS % (", annotations: {cert-manager.io/issuer: x}", "own", "web", 80)) + "  tls: [{secretName: cert}]\n",
    ),
    "a Service without a selector": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n",
}


@pytest.mark.parametrize(("code", "text", "line"), [(code, *case) for code, case in MISTAKES.items()], ids=MISTAKES)
def test_a_mistake_is_found_at_its_line(cluster: ControlPlane, tmp_path: Path, code: str, text: str, line: int) -> None:
    found = found_in(cluster, tmp_path, text)
    assert found[0] == (code, line)
    assert {one for one, _ in found} == {code}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_what_is_no_mistake_is_left_alone(cluster: ControlPlane, tmp_path: Path, text: str) -> None:
    assert found_in(cluster, tmp_path, text) == []


@pytest.mark.parametrize("ignored", ["all", "missing-secret", "pdb-overlap, missing-secret"])
def test_an_annotation_keeps_findings_back(cluster: ControlPlane, tmp_path: Path, ignored: str) -> None:
    text = deployment("web", container=env("secret", "conf"))
    note = f"metadata: {{name: web, annotations: {{{lints.IGNORE}: '{ignored}'}}}}"
    assert found_in(cluster, tmp_path, text.replace("metadata: {name: web}", note)) == []


def test_a_secret_for_a_token_of_nobody_is_found(cluster: ControlPlane, tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n"
        "metadata: {name: s, annotations: {kubernetes.io/service-account.name: robot}}\n"
    )
    assert found_in(cluster, tmp_path, text) == [("missing-serviceaccount", 4)]
    assert found_in(cluster, tmp_path, text.replace("service-account-token", "other")) == []


def test_what_the_cluster_has_is_not_missed(tmp_path: Path) -> None:
    with ControlPlane.open(None) as cp:
        cp.converge()
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "conf", "namespace": "default"}}
        cp.client.create("secrets", secret)
        assert found_in(cp, tmp_path, deployment("web", container=env("secret", "conf"))) == []


def test_fields_of_wrong_types_are_stepped_around(cluster: ControlPlane, tmp_path: Path) -> None:
    tried = 0
    for text, _ in MISTAKES.values():
        for old, new in WRONG:
            with contextlib.suppress(ManifestErrors):  # what is no YAML any more
                tried += old in text and found_in(cluster, tmp_path, text.replace(old, new)) is not None
    assert tried > 40


WRONG: list[tuple[str, Any]] = [
    ("containers: [", "containers: 1, x: ["),
    ("env: [", "env: {a: 1}, x: ["),
    ("selector: {", "selector: 7, x: {"),
    ("ports: [", "ports: a, x: ["),
    ("podSelector: {}", "podSelector: []"),
    ("name: conf", "name: [1]"),
    ("scaleTargetRef: {", "scaleTargetRef: 1, x: {"),
    ("spec: {", "spec: 3, x: {"),
    ("labels: {", "labels: 3, x: {"),
    ("data: {", "data: 1, x: {"),
    ("selector: {app", "clusterIP: {}, type: {}, x: {app"),
    ("matchLabels: {app: web}", "matchLabels: {app: {}}"),
    ("{app: web}", "{app: []}"),
    ("rules:", "rules: 1\n  x:"),
]

MEANT = {
    "bank-of-anthos": {("missing-secret", "jwt-key")},
    "kube-prometheus": set(),
    "sock-shop/base": {("missing-ingressclass", "nginx")},
    "microservices-demo": set(),
    "voting-app": set(),
}
"""What is really wrong with the corpus: what is referred to is not among its files."""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("folder", MEANT)
def test_real_manifests_raise_no_false_alarm(cluster: ControlPlane, folder: str) -> None:
    read = manifests.load([str(CORPUS / folder)], recursive=True, options=manifests.Options(ignore_not_manifest=True))
    found = lints.check(cluster.client, targets.resolve(read, cluster.server.registry))
    assert {(one.code, one.message.split('"')[1]) for one in found} == MEANT[folder]
