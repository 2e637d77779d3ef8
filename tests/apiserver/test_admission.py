from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError, UsageError
from kctl.api.objects import Key, Obj
from kctl.apiserver.admission import NOT_BUILT, PLUGINS
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def pod(name: str = "p", *, meta: Obj | None = None, **spec: object) -> Obj:
    body = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, **(meta or {})},
        "spec": body,
    }


def refusal(client: LocalClient, body: Obj, resource: str = "pods") -> str:
    with pytest.raises(StatusError) as refused:
        client.create(resource, body)
    assert refused.value.code == 403
    return refused.value.message


def account(client: LocalClient, name: str, **fields: object) -> None:
    meta = {"namespace": "default", "name": name}
    client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, **fields})


def priority(client: LocalClient, name: str, value: int, **fields: object) -> Obj:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}
    return client.create("priorityclasses.scheduling.k8s.io", {**body, **fields})


class TestServiceAccount:
    def test_every_pod_runs_as_default_and_finds_its_token(self, client: LocalClient) -> None:
        spec = client.create("pods", pod())["spec"]
        assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
        (volume,) = spec["volumes"]
        assert volume["name"].startswith("kube-api-access-")
        sources = [next(iter(source)) for source in volume["projected"]["sources"]]
        assert sources == ["serviceAccountToken", "configMap", "downwardAPI"]
        mount = {"name": volume["name"], "readOnly": True, "mountPath": ACCOUNT_PATH}
        assert spec["containers"][0]["volumeMounts"] == [mount]

    def test_an_account_that_is_missing_is_refused(self, client: LocalClient) -> None:
        assert refusal(client, pod(serviceAccountName="nope")) == (
            'pods "p" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found'
        )

    @pytest.mark.parametrize(
        ("of_account", "of_pod", "mounted"),
        [(None, None, True), (False, None, False), (False, True, True), (True, False, False)],
    )
    def test_the_pod_decides_before_the_account(
        self, client: LocalClient, of_account: bool | None, of_pod: bool | None, mounted: bool
    ) -> None:
        account(client, "s", **({} if of_account is None else {"automountServiceAccountToken": of_account}))
        asked = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
        spec = client.create("pods", pod(serviceAccountName="s", **asked))["spec"]
        assert bool(spec.get("volumes")) == mounted

    def test_a_container_that_mounts_the_path_itself_is_left_alone(self, client: LocalClient) -> None:
        mounts = [{"name": "v", "mountPath": ACCOUNT_PATH}]
        body = pod(
            containers=[{"name": "c", "image": "i", "volumeMounts": mounts}], volumes=[{"name": "v", "emptyDir": {}}]
        )
        spec = client.create("pods", body)["spec"]
        assert [v["name"] for v in spec["volumes"]] == ["v"]

    def test_pull_secrets_come_from_the_account_unless_the_pod_has_its_own(self, client: LocalClient) -> None:
        account(client, "s", imagePullSecrets=[{"name": "x"}])
        spec = client.create("pods", pod("a", serviceAccountName="s"))["spec"]
        assert spec["imagePullSecrets"] == [{"name": "x"}]
        own = client.create("pods", pod("b", serviceAccountName="s", imagePullSecrets=[{"name": "own"}]))["spec"]
        assert own["imagePullSecrets"] == [{"name": "own"}]

    def test_secrets_the_account_does_not_list_are_refused_when_it_says_so(self, client: LocalClient) -> None:
        meta = {"namespace": "default", "name": "m", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
        client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        body = pod(serviceAccountName="m", volumes=[{"name": "v", "secret": {"secretName": "zz"}}])
        assert 'volume with secret.secretName="zz" is not allowed' in refusal(client, body)

    def test_a_mirror_pod_has_no_account(self, client: LocalClient) -> None:
        meta = {"annotations": {"kubernetes.io/config.mirror": "x"}}
        assert "serviceAccountName" not in client.create("pods", pod(meta=meta, nodeName="n"))["spec"]
        message = refusal(client, pod("q", meta=meta, nodeName="n", serviceAccountName="default"))
        assert message == 'pods "q" is forbidden: a mirror pod may not reference service accounts'


class TestPriority:
    def test_a_class_gives_number_and_policy(self, client: LocalClient) -> None:
        priority(client, "high", 77, preemptionPolicy="Never")
        spec = client.create("pods", pod(priorityClassName="high"))["spec"]
        assert (spec["priority"], spec["preemptionPolicy"]) == (77, "Never")

    def test_without_class_the_priority_is_zero(self, client: LocalClient) -> None:
        spec = client.create("pods", pod())["spec"]
        assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
        assert "priorityClassName" not in spec

    def test_the_global_default_counts_where_no_class_is_named(self, client: LocalClient) -> None:
        priority(client, "usual", 9, globalDefault=True)
        spec = client.create("pods", pod())["spec"]
        assert (spec["priority"], spec["priorityClassName"]) == (9, "usual")

    def test_there_is_one_global_default(self, client: LocalClient) -> None:
        priority(client, "usual", 9, globalDefault=True)
        with pytest.raises(StatusError) as refused:
            priority(client, "other", 5, globalDefault=True)
        assert "PriorityClass usual is already marked as default. Only one default can exist" in refused.value.message

    @pytest.mark.parametrize(
        ("spec", "why"),
        [
            ({"priorityClassName": "nope"}, "no PriorityClass with name nope was found"),
            ({"priority": 5}, "the integer value of priority (5) must not be provided in pod spec; "),
            ({"preemptionPolicy": "Never"}, "the string value of PreemptionPolicy (Never) must not be provided"),
        ],
    )
    def test_what_the_class_does_not_say_is_refused(self, client: LocalClient, spec: Obj, why: str) -> None:
        assert why in refusal(client, pod(**spec))


class TestTolerations:
    def test_five_minutes_are_added_for_both_taints(self, client: LocalClient) -> None:
        added = client.create("pods", pod())["spec"]["tolerations"]
        assert [(t["key"], t["tolerationSeconds"]) for t in added] == [
            ("node.kubernetes.io/not-ready", 300),
            ("node.kubernetes.io/unreachable", 300),
        ]

    @pytest.mark.parametrize(
        ("own", "keys"),
        [
            ([{"operator": "Exists"}], []),
            ([{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}], ["node.kubernetes.io/unreachable"]),
            (
                [{"operator": "Exists", "effect": "NoSchedule"}],
                ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"],
            ),
        ],
    )
    def test_what_the_pod_tolerates_already_is_not_added(
        self, client: LocalClient, own: list[Obj], keys: list[str]
    ) -> None:
        tolerations = client.create("pods", pod(tolerations=own))["spec"]["tolerations"]
        assert [t["key"] for t in tolerations[len(own) :]] == keys


class TestOthers:
    def test_a_new_node_is_tainted_as_not_ready(self, client: LocalClient) -> None:
        node = client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]

    def test_a_claim_gets_the_default_class(self, client: LocalClient) -> None:
        meta = {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
        body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta, "provisioner": "x.io/y"}
        client.create("storageclasses.storage.k8s.io", body)
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        meta = {"namespace": "default", "name": "c"}
        claim = client.create(
            "persistentvolumeclaims",
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec},
        )
        assert claim["spec"]["storageClassName"] == "fast"
        assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    def test_a_runtime_class_lays_its_overhead_on_the_pod(self, client: LocalClient) -> None:
        meta = {"name": "rc"}
        scheduling = {"nodeSelector": {"k": "v"}}
        overhead = {"podFixed": {"cpu": "100m"}}
        body = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": meta, "handler": "h"}
        client.create("runtimeclasses.node.k8s.io", {**body, "overhead": overhead, "scheduling": scheduling})
        spec = client.create("pods", pod("a", runtimeClassName="rc"))["spec"]
        assert (spec["overhead"], spec["nodeSelector"]) == ({"cpu": "100m"}, {"k": "v"})
        assert "conflict: runtimeClass.scheduling.nodeSelector[k] = v" in refusal(
            client, pod("b", runtimeClassName="rc", nodeSelector={"k": "x"})
        )

    def test_a_bound_pod_carries_its_nodes_zone(self, client: LocalClient) -> None:
        labels = {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1", "other": "no"}
        client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels}})
        made = client.create("pods", pod(meta={"labels": {"app": "web"}}))
        client.bind(Key("default", "p"), made["metadata"]["uid"], "n")
        bound = client.get("pods", "default", "p")["metadata"]["labels"]
        assert bound == {"app": "web", "topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1"}
        by_hand = client.create("pods", pod("q", nodeName="n"))["metadata"]["labels"]
        assert by_hand == {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1"}
        assert "labels" not in client.create("pods", pod("r", nodeName="nowhere"))["metadata"]


class TestConfiguration:
    def test_a_disabled_plugin_does_nothing(self) -> None:
        disabled = {"disable": ["ServiceAccount", "TaintNodesByCondition"]}
        client = LocalClient(APIServer(MemoryStore(), clock=FixedClock(), admission=disabled))
        assert "serviceAccountName" not in client.create("pods", pod())["spec"]
        node = client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        assert "taints" not in node.get("spec", {})

    def test_an_unknown_plugin_is_refused(self) -> None:
        with pytest.raises(UsageError, match='admission plugin "Nonsense" is unknown'):
            APIServer(MemoryStore(), clock=FixedClock(), admission={"enable": ["Nonsense"]})

    def test_a_plugin_is_either_built_or_said_not_to_be(self) -> None:
        assert not NOT_BUILT & PLUGINS.keys()
