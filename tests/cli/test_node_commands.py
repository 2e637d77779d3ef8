"""``cordon``, ``uncordon``, ``taint``, ``drain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl.api.errors import KctlError, UsageError
from kctl.cli import evictable, taint

BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 100%, selector: {matchLabels: {app: web}}}
"""
LONE = """\
apiVersion: v1
kind: Pod
metadata: {name: lone}
spec: {nodeName: node-1, containers: [{name: a, image: a}], volumes: [{name: x, emptyDir: {}}]}
"""


def nodes_of_pods(kctl: Any) -> set[str]:
    """Return the nodes that pods are on."""
    return {pod["spec"].get("nodeName", "") for pod in kctl.get("pods")["items"]}


def test_cordon_and_uncordon_say_what_was_so_already(web: Any) -> None:
    assert web("cordon", "node-1").out == "node/node-1 cordoned\n"
    assert web("cordon", "node/node-1").out == "node/node-1 already cordoned\n"
    assert web.get("node", "node-1")["spec"]["unschedulable"] is True
    assert web("uncordon", "node-1", "--dry-run=server").out == "node/node-1 uncordoned (server dry run)\n"
    assert web("uncordon", "-l", "kubernetes.io/hostname=node-1").out == "node/node-1 uncordoned\n"
    assert web("uncordon", "node-1").out == "node/node-1 already uncordoned\n"
    assert "unschedulable" not in web.get("node", "node-1")["spec"]
    assert web("cordon", "node-9", code=1).err == 'Error from server (NotFound): nodes "node-9" not found\n'
    assert "USAGE: cordon NODE" in web("cordon", code=2).err
    assert 'expected resource of type node, got "pod"' in web("cordon", "pod/web", code=2).err


def test_a_cordoned_cluster_takes_no_pods_until_uncordoned(web: Any) -> None:
    web("cordon", "node-1", "node-2", "node-3")
    web("scale", "deploy/web", "--replicas=4")
    assert "" in nodes_of_pods(web)
    web("uncordon", "node-2")
    assert "" not in nodes_of_pods(web)


def test_taints_are_put_on_replaced_and_taken_away(web: Any) -> None:
    assert web("taint", "nodes", "node-1", "a=b:NoSchedule").out == "node/node-1 tainted\n"
    refused = web("taint", "nodes", "node-1", "a=c:NoSchedule", code=1)
    assert refused.err == "error: node node-1 already has a taint(s) with same effect(s) and --overwrite is false\n"
    assert web("taint", "nodes", "node-1", "a=c:NoSchedule", "--overwrite").out == "node/node-1 modified\n"
    assert web.get("node", "node-1")["spec"]["taints"] == [{"key": "a", "value": "c", "effect": "NoSchedule"}]
    gone = web("taint", "nodes", "--all", "a-", code=1)
    assert gone.out == "node/node-1 untainted\n"
    assert gone.err.count('error: taint "a" not found\n') == 2
    assert "taints" not in web.get("node", "node-1")["spec"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nodes", "n"], "at least one taint update is required"),
        (["a=b:NoSchedule"], "one or more resources must be specified as <resource> <name>"),
        (["nodes", "a=b:NoSchedule", "n"], "all resources must be specified before taint changes: n"),
        (["nodes", "n", "a=b:Never"], "invalid taint effect: Never, unsupported taint effect"),
        (["nodes", "n", "a=b"], "invalid taint spec: a=b"),
        (["nodes", "n", "a:NoExecute:x"], "invalid taint spec: a:NoExecute:x"),
        (["nodes", "n", "a=b=c:NoExecute"], "invalid taint spec: a=b=c:NoExecute"),
        (["nodes", "n", "a=b:NoExecute", "a=c:NoExecute"], "duplicated taints with the same key and effect"),
        (["nodes", "n", "a=b:NoExecute", "a-"], "can not both modify and remove the following taint(s)"),
        (["pods", "n", "a=b:NoExecute"], "invalid resource type pods, only node types are supported"),
        (["nodes", "a=b:NoExecute"], "at least one resource name must be specified since 'all' parameter is not set"),
    ],
)
def test_malformed_taints_are_refused(arguments: list[str], text: str) -> None:
    def read() -> None:
        names, specs = taint.split(arguments)
        taint.check(names, taint.parse(specs), everything=False, selector="")

    with pytest.raises(UsageError) as caught:
        read()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("specs", "word", "left"),
    [
        (["c=d:NoExecute"], "tainted", ["c", "a"]),
        (["a-"], "untainted", []),
        (["a:NoSchedule-"], "untainted", []),
        (["c=d:NoExecute", "c2:NoExecute", "a-"], "modified", ["c", "c2"]),
    ],
)
def test_the_word_for_a_change_of_taints(specs: list[str], word: str, left: list[str]) -> None:
    node = {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    found, said = taint.tainted(node, taint.parse(specs), overwrite=False)
    assert said == word
    assert [one["key"] for one in found["spec"]["taints"]] == left


def test_a_taint_of_another_effect_is_not_the_one_to_remove() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    with pytest.raises(KctlError, match='taint "a:NoExecute" not found'):
        taint.tainted(node, taint.parse(["a:NoExecute-"]), overwrite=False)


def test_drain_moves_pods_to_other_nodes(web: Any) -> None:
    on_node = [pod["metadata"]["name"] for pod in web.get("pods")["items"] if pod["spec"]["nodeName"] == "node-1"]
    assert on_node
    preview = web("drain", "node-1", "--dry-run=client")
    assert preview.out.startswith("node/node-1 cordoned (dry run)\n")
    assert preview.out.endswith("(dry run)\nnode/node-1 drained (dry run)\n")
    assert "node-1" in nodes_of_pods(web)
    ran = web("drain", "node-1")
    assert ran.out == (
        "node/node-1 cordoned\n"
        + "".join(f"evicting pod default/{name}\n" for name in on_node)
        + "".join(f"pod/{name} evicted\n" for name in on_node)
        + "node/node-1 drained\n"
    )
    assert nodes_of_pods(web) <= {"node-2", "node-3"}
    assert len(web.get("pods")["items"]) == 3


def test_drain_does_not_begin_with_pods_that_nothing_makes_anew(web: Any) -> None:
    Path("lone.yaml").write_text(LONE, encoding="utf-8")
    web("apply", "-f", "lone.yaml")
    ran = web("drain", "node-1", code=1)
    why = f"cannot delete {evictable.STORAGE_FATAL}: default/lone"
    assert ran.err == (
        f'error: unable to drain node "node-1" due to error: {why}, continuing command...\n'
        f"There are pending nodes to be drained:\n node-1\n{why}\n"
    )
    assert ran.out == "node/node-1 cordoned\n"
    ran = web("drain", "node-1", "--force", "--delete-emptydir-data")
    assert ran.err == "Warning: deleting Pods that declare no controller: default/lone\n"
    assert "pod/lone evicted\n" in ran.out
    assert web("get", "pod", "lone", code=1).out == ""


def test_drain_asks_again_and_gives_up_when_a_budget_never_allows_it(web: Any) -> None:
    Path("budget.yaml").write_text(BUDGET, encoding="utf-8")
    web("apply", "-f", "budget.yaml", code=None)
    ran = web("drain", "node-1", code=1)
    assert "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget." in ran.err
    assert 'error: unable to drain node "node-1"' in ran.err
    assert "node-1" in nodes_of_pods(web)
    ran = web("drain", "node-1", "--disable-eviction")
    assert "evicting" not in ran.out
    assert ran.out.endswith(" deleted\nnode/node-1 drained\n")


def pod(name: str = "p", **more: Any) -> Any:
    """Return a running pod of a ReplicaSet."""
    owner = more.pop("owner", {"kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True})
    return {
        "metadata": {
            "name": name,
            "namespace": "d",
            "ownerReferences": [owner] if owner else [],
            "annotations": more.pop("annotations", {}),
        },
        "spec": {"volumes": more.pop("volumes", [])},
        "status": {"phase": more.pop("phase", "Running")},
    }


DAEMON = {"kind": "DaemonSet", "name": "ds", "uid": "u", "controller": True}


@pytest.mark.parametrize(
    ("found", "flags", "verdict"),
    [
        (pod(), evictable.Flags(), evictable.Verdict(True)),
        (pod(owner=None), evictable.Flags(), evictable.Verdict(False, error=evictable.UNMANAGED_FATAL)),
        (
            pod(owner=None),
            evictable.Flags(force=True),
            evictable.Verdict(True, warning=evictable.UNMANAGED_WARNING),
        ),
        (pod(owner=None, phase="Succeeded"), evictable.Flags(), evictable.Verdict(True)),
        (pod(owner=DAEMON), evictable.Flags(), evictable.Verdict(False, error=evictable.DAEMONSET_FATAL)),
        (
            pod(owner=DAEMON),
            evictable.Flags(ignore_daemonsets=True),
            evictable.Verdict(False, warning=evictable.DAEMONSET_WARNING),
        ),
        (pod(annotations={evictable.MIRROR: "x"}), evictable.Flags(), evictable.Verdict(False)),
        (pod(volumes=[{"emptyDir": {}}]), evictable.Flags(), evictable.Verdict(False, error=evictable.STORAGE_FATAL)),
        (
            pod(volumes=[{"emptyDir": {}}]),
            evictable.Flags(delete_emptydir_data=True),
            evictable.Verdict(True, warning=evictable.STORAGE_WARNING),
        ),
    ],
)
def test_which_pods_drain_takes(found: Any, flags: evictable.Flags, verdict: evictable.Verdict) -> None:
    assert evictable.judge(found, flags, lambda *_: True) == verdict


def test_a_pod_of_a_daemonset_that_is_gone_goes_with_force() -> None:
    text = 'daemonsets.apps "ds" not found'
    assert evictable.judge(pod(owner=DAEMON), evictable.Flags(), lambda *_: False).error == text
    forced = evictable.judge(pod(owner=DAEMON), evictable.Flags(force=True), lambda *_: False)
    assert forced == evictable.Verdict(True, warning=text)


def test_warnings_and_errors_name_their_pods_together() -> None:
    found = evictable.select([pod("a", owner=None), pod("b", owner=None)], evictable.Flags(), lambda *_: True)
    assert found.errors == [f"{evictable.UNMANAGED_FATAL}: d/a, d/b"]
