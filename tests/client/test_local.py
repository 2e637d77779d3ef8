from __future__ import annotations

import sys

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.cache import Cache
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore


@pytest.fixture
def client() -> LocalClient:
    return LocalClient(APIServer(MemoryStore(), clock=FixedClock(), frozen=True), field_manager="tests")


def config(name: str, **labels: str) -> Obj:
    meta = {"namespace": "default", "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def test_a_list_is_sorted_selected_and_knows_its_revision(client: LocalClient) -> None:
    for name in ("b", "a", "c"):
        client.create("configmaps", config(name, tier="x" if name != "c" else "y"))
    found = client.list("configmaps", "default", label_selector="tier=x")
    assert [o["metadata"]["name"] for o in found.items] == ["a", "b"]
    assert str(found.revision) == client.get("configmaps", "default", "c")["metadata"]["resourceVersion"]
    assert client.list("configmaps", "kube-system").items == []


def test_a_list_and_the_watch_behind_it_miss_nothing(client: LocalClient) -> None:
    client.create("configmaps", config("a"))
    found = client.list("configmaps")
    cache = Cache("configmaps")
    cache.replace(found.items, found.revision)
    watch = client.watch("configmaps", revision=found.revision)
    client.create("configmaps", config("b"))
    client.delete("configmaps", Key("default", "a"))
    for event in watch.events():
        cache.deliver(event)
    assert cache.all() == client.list("configmaps").items


def test_an_object_says_in_which_version_it_is_sent(client: LocalClient) -> None:
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "default", "name": "h"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "targetCPUUtilizationPercentage": 50,
        },
    }
    client.create("horizontalpodautoscalers.autoscaling", body)
    stored = client.get("horizontalpodautoscalers.autoscaling", "default", "h")
    assert stored["apiVersion"] == "autoscaling/v2"
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def test_apply_names_the_other_owner(client: LocalClient) -> None:
    body = {**config("a", app="w"), "data": {"k": "1"}}
    client.apply("configmaps", body, field_manager="one")
    with pytest.raises(StatusError) as refused:
        client.apply("configmaps", {**body, "data": {"k": "2"}}, field_manager="two")
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.k'
    forced = client.apply("configmaps", {**body, "data": {"k": "2"}}, field_manager="two", force=True)
    assert forced["data"] == {"k": "2"}


def test_another_user_is_another_manager(client: LocalClient) -> None:
    other = client.as_user("system:kube-scheduler", field_manager="kube-scheduler")
    made = other.create("configmaps", {**config("a"), "data": {"k": "1"}})
    assert made["metadata"]["managedFields"][0]["manager"] == "kube-scheduler"


def test_eviction_asks_the_budget(client: LocalClient) -> None:
    meta = {"namespace": "default", "name": "default"}
    client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    meta = {"namespace": "default", "name": "p", "labels": {"app": "w"}}
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
    client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    key, ready = Key("default", "p"), [{"type": "Ready", "status": "True"}]
    client.patch("pods", key, {"status": {"phase": "Running", "conditions": ready}}, subresource="status")
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": "default", "name": "b"},
        "spec": {"selector": {"matchLabels": {"app": "w"}}, "minAvailable": 1},
    }
    client.create("poddisruptionbudgets.policy", budget)
    status = {
        "disruptionsAllowed": 0,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
        "observedGeneration": 1,
    }
    place = Key("default", "b")
    client.patch("poddisruptionbudgets.policy", place, {"status": status}, subresource="status")
    with pytest.raises(StatusError) as refused:
        client.evict(key)
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    client.patch("poddisruptionbudgets.policy", place, {"status": {"disruptionsAllowed": 1}}, subresource="status")
    client.evict(key)
    evicted = client.get("pods", "default", "p")
    assert evicted["metadata"]["deletionGracePeriodSeconds"] == 30
    assert evicted["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    charged = client.get("poddisruptionbudgets.policy", "default", "b")["status"]
    assert (charged["disruptionsAllowed"], list(charged["disruptedPods"])) == (0, ["p"])


def test_reading_loads_no_rules() -> None:
    import subprocess

    code = (
        "from kctl.store.memory import MemoryStore\n"
        "from kctl.api.clock import FixedClock\n"
        "from kctl.apiserver.server import APIServer\n"
        "from kctl.client.local import LocalClient\n"
        "import sys\n"
        "c = LocalClient(APIServer(MemoryStore(), clock=FixedClock()))\n"
        "c.get('namespaces', '', 'default'); c.list('pods')\n"
        "heavy = ('kctl.api.validation', 'kctl.api.defaults', 'kctl.api.strategy', 'kctl.api.patch', "
        "'kctl.api.schema', 'kctl.apiserver.admission', 'kctl.apiserver.http', 'yaml')\n"
        "print([m for m in sys.modules if m.startswith(heavy)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
