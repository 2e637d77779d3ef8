"""Stages and their order: from kinds and references, never from where things were written."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kctl.api.registry import builtin
from kctl.gitops import order
from kctl.gitops.documents import load
from kctl.gitops.manifests import Manifest
from kctl.gitops.positions import Place, Positions
from kctl.gitops.references import Reference, references
from kctl.gitops.targets import Target, resolve

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.com}
spec:
  group: example.com
  names: {kind: Shop, plural: shops}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true}]
"""


def targets(*texts: str) -> list[Target]:
    manifests = []
    for text in texts:
        (document,) = load(text.encode()).documents
        manifests.append(Manifest("x.yaml", 1, document.value, Positions(Place(1, 1), lambda: None)))
    return resolve(manifests, builtin())


def obj(kind: str, name: str, spec: str = "{}", version: str = "v1", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{where}}}\nspec: {spec}\n"


def shape(*texts: str) -> list[list[str]]:
    return [[f"{t.object['kind']}/{t.key.name}" for t in stage] for stage in order.stages(targets(*texts))]


SET = (
    obj("Deployment", "web", version="apps/v1", namespace="shop"),
    obj("Service", "web", namespace="shop"),
    obj("Shop", "one", version="example.com/v1", namespace="shop"),
    CRD,
    obj("ConfigMap", "b", namespace="shop"),
    obj("ConfigMap", "a", namespace="other"),
    obj("Namespace", "shop"),
    obj("PriorityClass", "high", version="scheduling.k8s.io/v1"),
    obj("ServiceAccount", "web", namespace="shop"),
)


def test_what_the_server_needs_first_makes_a_stage() -> None:
    assert shape(*SET) == [
        ["Namespace/shop", "CustomResourceDefinition/shops.example.com", "PriorityClass/high", "ConfigMap/a"],
        ["ServiceAccount/web", "ConfigMap/b", "Service/web", "Shop/one", "Deployment/web"],
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_files_does_not_matter(seed: int) -> None:
    texts = list(SET)
    random.Random(seed).shuffle(texts)
    assert shape(*texts) == shape(*SET)


def test_without_gates_everything_is_one_batch() -> None:
    assert shape(obj("Pod", "b"), obj("Pod", "a"), obj("Secret", "s")) == [["Secret/s", "Pod/a", "Pod/b"]]


def test_a_reference_against_the_order_of_kinds_is_honoured() -> None:
    binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\n"
    binding += (
        "roleRef: {kind: ClusterRole, name: r}\nsubjects: [{kind: ServiceAccount, name: late, namespace: default}]\n"
    )
    assert shape(binding, obj("ServiceAccount", "late")) == [["ServiceAccount/late", "ClusterRoleBinding/x"]]


def test_a_circle_of_references_ends() -> None:
    volume = obj("PersistentVolume", "v", "{storageClassName: s, claimRef: {name: c}}")
    claim = obj("PersistentVolumeClaim", "c", "{volumeName: v}")
    assert shape(claim, volume) == [["PersistentVolume/v", "PersistentVolumeClaim/c"]]


def test_a_kind_of_the_set_may_be_a_kind_of_no_namespace() -> None:
    cluster_wide = CRD.replace("Namespaced", "Cluster")
    first, second = order.stages(targets(obj("Shop", "one", version="example.com/v1", namespace="x"), cluster_wide))
    assert second[0].key == ("", "one")
    assert "namespace" not in second[0].object["metadata"]
    assert first[0].object["kind"] == "CustomResourceDefinition"


POD = """{serviceAccountName: sa, priorityClassName: pc, runtimeClassName: rc, imagePullSecrets: [{name: pull}],
 volumes: [{name: a, configMap: {name: cm}}, {name: b, secret: {secretName: s}},
  {name: c, persistentVolumeClaim: {claimName: pvc}}, {name: d, projected: {sources: [{secret: {name: ps}}]}}],
 initContainers: [{envFrom: [{configMapRef: {name: ef}}]}],
 containers: [{env: [{name: X, valueFrom: {secretKeyRef: {name: kr, key: k}}}]}]}"""


def test_every_reference_of_a_pod_is_found() -> None:
    (target,) = targets(obj("CronJob", "c", f"{{jobTemplate: {{spec: {{template: {{spec: {POD}}}}}}}}}", "batch/v1"))
    assert references(target) == [
        Reference("ServiceAccount", "default", "sa"),
        Reference("PriorityClass", "", "pc"),
        Reference("RuntimeClass", "", "rc"),
        Reference("Secret", "default", "pull"),
        Reference("ConfigMap", "default", "cm"),
        Reference("Secret", "default", "s"),
        Reference("PersistentVolumeClaim", "default", "pvc"),
        Reference("Secret", "default", "ps"),
        Reference("ConfigMap", "default", "ef"),
        Reference("Secret", "default", "kr"),
    ]


@pytest.mark.parametrize(
    "junk", ["3", "[1]", "{volumes: 3, containers: [x, 1], imagePullSecrets: {a: b}}", "null", "x"]
)
@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Pod", "v1"),
        ("Deployment", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("PersistentVolumeClaim", "v1"),
        ("Ingress", "networking.k8s.io/v1"),
        ("HorizontalPodAutoscaler", "autoscaling/v2"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    ],
)
def test_nonsense_is_ordered_all_the_same(kind: str, version: str, junk: str) -> None:
    nested: Any = (
        f"{{template: {{spec: {junk}}}, serviceName: {junk}, rules: {junk}, versions: {junk}, scaleTargetRef: {junk}}}"
    )
    for spec in (junk, nested):
        [[target]] = order.stages(targets(obj(kind, "a", spec, version)))
        assert all(name and isinstance(name, str) for _, _, name in references(target))


def test_what_is_pruned_goes_in_the_reverse_order() -> None:
    from kctl.gitops.inventory import entry_of

    entries = sorted((entry_of(target) for target in targets(*SET)), key=order.prune_key, reverse=True)
    assert entries[0].kind == "Deployment"
    assert entries[-1].kind == "Namespace"
