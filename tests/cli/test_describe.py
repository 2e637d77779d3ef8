"""``describe``, kind by kind, as kubectl writes it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import EPOCH
from kctl.api.objects import Obj
from kctl.cli.describing import access, data, workloads

AT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"
NOW = EPOCH + 90
NONE = "Labels:       <none>\nAnnotations:  <none>\n"
TEMPLATE: Obj = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
POD = """\
Pod Template:
  Labels:  a=b
  Containers:
   c:
    Image:           i
    Port:            <none>
    Host Port:       <none>
    Environment:     <none>
    Mounts:          <none>
  Volumes:           <none>
  Node-Selectors:    <none>
  Tolerations:       <none>
"""


def named(spec: Obj | None = None, **more: Any) -> Obj:
    out: Obj = {"metadata": {"name": "x", "namespace": "d", "creationTimestamp": AT, "uid": "u"}, **more}
    return {**out, "spec": spec} if spec is not None else out


def pods(*phases: str) -> list[Obj]:
    return [{"status": {"phase": phase}} for phase in phases]


def squeezed(text: str) -> list[str]:
    """Return lines with runs of blanks as one: where a column stands is layout's business."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_configmap_shows_texts_as_they_are_and_counts_bytes() -> None:
    obj = named(data={"b": "two\nlines", "a": "1"}, binaryData={"raw": "/wAB"})
    assert data.config_map(obj, NOW, []) == (
        f"Name:         x\nNamespace:    d\n{NONE}"
        "\nData\n====\na:\n----\n1\n\nb:\n----\ntwo\nlines\n\n"
        "\nBinaryData\n====\nraw: 3 bytes\n\nEvents:  <none>\n"
    )


def test_a_secret_shows_how_long_its_values_are() -> None:
    obj = named(type="Opaque", data={"password": "aHVudGVyMg==", "user": "YQ=="})
    assert data.secret(obj) == (
        f"Name:         x\nNamespace:    d\n{NONE}\nType:  Opaque\n\nData\n====\npassword:  7 bytes\nuser:      1 bytes\n"
    )


def test_no_description_shows_what_a_secret_holds(shop: Any) -> None:
    said = shop("describe", "secret", "keys", "-n", "shop")
    assert "password:  7 bytes" in said.out
    assert "hunter2" not in said.out
    assert "aHVudGVyMg" not in said.out
    assert "password:  aHVudGVyMg==" in shop("describe", "secret", "keys", "-n", "shop", "--show-secrets").out
    assert "***" in shop("describe", "secret", "keys", "-n", "shop", "-o", "json").out


def test_a_serviceaccount_says_which_of_its_secrets_are_missing() -> None:
    token = {
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.uid": "u"}},
        "type": "kubernetes.io/service-account-token",
    }
    obj = named(imagePullSecrets=[{"name": "gone"}, {"name": "t"}], secrets=[{"name": "t"}])
    assert squeezed(data.service_account(obj, NOW, [], secrets=[token]))[4:] == [
        "Image pull secrets: gone (not found)",
        "t",
        "Mountable secrets: t",
        "Tokens: t",
        "Events: <none>",
    ]


SELECTOR = {"matchLabels": {"a": "b"}}


def test_a_replicaset() -> None:
    owner = {"kind": "Deployment", "name": "web", "controller": True}
    conditions = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]
    obj = named(
        {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE}, status={"replicas": 2, "conditions": conditions}
    )
    obj["metadata"]["ownerReferences"] = [owner]
    text = workloads.replica_set(obj, NOW, [], owned=pods("Running", "Pending", "Failed"))
    assert "\n".join(squeezed(POD)) in "\n".join(squeezed(text))
    lines = squeezed(text)
    assert lines[:8] == [
        "Name: x",
        "Namespace: d",
        "Selector: a=b",
        "Labels: <none>",
        "Annotations: <none>",
        "Controlled By: Deployment/web",
        "Replicas: 2 current / 3 desired",
        "Pods Status: 1 Running / 1 Waiting / 0 Succeeded / 1 Failed",
    ]
    assert lines[-4:] == [
        "Type Status Reason",
        "---- ------ ------",
        "ReplicaFailure True FailedCreate",
        "Events: <none>",
    ]


def test_a_replicationcontroller_selects_by_labels_alone() -> None:
    obj = named({"replicas": 2, "selector": {"b": "2", "a": "1"}, "template": TEMPLATE}, kind="ReplicationController")
    shown = squeezed(workloads.replica_set(obj, NOW, [], owned=pods("Running")))
    assert shown[2] == "Selector: a=1,b=2"
    assert shown[5:7] == [
        "Replicas: 0 current / 2 desired",
        "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    ]


def test_a_daemonset() -> None:
    status = {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberAvailable": 1}
    obj = named({"selector": SELECTOR, "template": TEMPLATE}, status=status)
    lines = squeezed(workloads.daemon_set(obj, NOW, [], owned=pods("Running")))
    assert lines[2:12] == [
        "Selector: a=b",
        "Node-Selector: <none>",
        "Labels: <none>",
        "Annotations: <none>",
        "Desired Number of Nodes Scheduled: 3",
        "Current Number of Nodes Scheduled: 2",
        "Number of Nodes Scheduled with Up-to-date Pods: 0",
        "Number of Nodes Scheduled with Available Pods: 1",
        "Number of Nodes Misscheduled: 0",
        "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    ]


def test_a_statefulset() -> None:
    claim = {
        "metadata": {"name": "disk"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    spec = {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE, "updateStrategy": strategy}
    obj = named({**spec, "volumeClaimTemplates": [claim]}, status={"replicas": 1})
    lines = squeezed(workloads.stateful_set(obj, NOW, [], owned=[]))
    assert lines[2:9] == [
        "CreationTimestamp: Thu, 01 Jan 2026 00:00:00 +0000",
        "Selector: a=b",
        "Labels: <none>",
        "Annotations: <none>",
        "Replicas: 2 desired | 1 total",
        "Update Strategy: RollingUpdate",
        "Partition: 1",
    ]
    at = lines.index("Volume Claims:")
    assert lines[at + 1 : at + 7] == [
        "Name: disk",
        "StorageClass:",
        "Labels: <none>",
        "Annotations: <none>",
        "Capacity: 1Gi",
        "Access Modes: [ReadWriteOnce]",
    ]
    without = squeezed(workloads.stateful_set(named(spec), NOW, [], owned=[]))
    assert "Volume Claims: <none>" in without


def test_a_job() -> None:
    spec = {
        "parallelism": 2,
        "completionMode": "Indexed",
        "suspend": False,
        "backoffLimit": 6,
        "ttlSecondsAfterFinished": 5,
        "activeDeadlineSeconds": 60,
        "selector": SELECTOR,
        "template": TEMPLATE,
    }
    status = {"startTime": AT, "completionTime": LATER, "succeeded": 2, "ready": 0, "completedIndexes": "0,1"}
    text = workloads.job(named(spec, status=status), NOW, [])
    assert "\n".join(squeezed(POD)) in "\n".join(squeezed(text))
    assert squeezed(text)[5:17] == [
        "Parallelism: 2",
        "Completions: <unset>",
        "Completion Mode: Indexed",
        "Suspend: false",
        "Backoff Limit: 6",
        "TTL Seconds After Finished: 5",
        "Start Time: Thu, 01 Jan 2026 00:00:00 +0000",
        "Completed At: Thu, 01 Jan 2026 00:01:30 +0000",
        "Duration: 90s",
        "Active Deadline Seconds: 60s",
        "Pods Statuses: 0 Active (0 Ready) / 2 Succeeded / 0 Failed",
        "Completed Indexes: 0,1",
    ]


@pytest.mark.parametrize(
    ("indexes", "shown"),
    [
        ("", "<none>"),
        ("0-9", "0-9"),
        (",".join(map(str, range(40))), "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,..."),
    ],
)
def test_a_long_list_of_indexes_is_cut(indexes: str, shown: str) -> None:
    spec = {"completionMode": "Indexed", "selector": SELECTOR, "template": TEMPLATE}
    text = workloads.job(named(spec, status={"completedIndexes": indexes}), NOW, [])
    assert f"Completed Indexes: {shown}" in squeezed(text)


def test_a_cronjob() -> None:
    spec = {
        "schedule": "@daily",
        "concurrencyPolicy": "Forbid",
        "suspend": True,
        "successfulJobsHistoryLimit": 3,
        "jobTemplate": {"spec": {"template": TEMPLATE, "parallelism": 1}},
    }
    status = {"lastScheduleTime": AT, "active": [{"name": "x-1"}, {"name": "x-2"}]}
    lines = squeezed(workloads.cron_job(named(spec, status=status), NOW, []))
    assert lines[4:13] == [
        "Schedule: @daily",
        "Concurrency Policy: Forbid",
        "Suspend: True",
        "Successful Job History Limit: 3",
        "Failed Job History Limit: <unset>",
        "Starting Deadline Seconds: <unset>",
        "Selector: <unset>",
        "Parallelism: 1",
        "Completions: <unset>",
    ]
    assert lines[-3:] == [
        "Last Schedule Time: Thu, 01 Jan 2026 00:00:00 +0000",
        "Active Jobs: x-1, x-2",
        "Events: <none>",
    ]


def test_a_role_is_broken_down_to_a_line_a_resource() -> None:
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["pods", "pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "get"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["*"]},
        {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
    ]
    assert access.role(named(rules=rules)) == (
        f"Name:         x\n{NONE}PolicyRule:\n"
        "  Resources      Non-Resource URLs  Resource Names  Verbs\n"
        "  ---------      -----------------  --------------  -----\n"
        "                 [/healthz]         []              [get]\n"
        "  pods           []                 []              [get list]\n"
        "  pods.apps      []                 []              [get]\n"
        "  pods/log       []                 []              [get]\n"
        "  pods/log.apps  []                 []              [get]\n"
        "  secrets        []                 [a b]           [*]\n"
    )


def test_a_binding_names_its_role_and_who_has_it() -> None:
    subjects = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]
    obj = named(roleRef={"kind": "Role", "name": "r"}, subjects=subjects)
    assert access.binding(obj) == (
        f"Name:         x\n{NONE}Role:\n  Kind:  Role\n  Name:  r\nSubjects:\n"
        "  Kind            Name  Namespace\n"
        "  ----            ----  ---------\n"
        "  User            u\n"
        "  ServiceAccount  s     n\n"
    )


def test_a_name_that_no_object_has_may_be_how_names_begin(shop: Any) -> None:
    pods = shop("get", "pods", "-n", "shop", "-l", "app=web", "-o", "name").out.split()
    out = shop("describe", "pod", "web-", "-n", "shop").out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("Name:")] == [
        pod.partition("/")[2] for pod in pods
    ]
    said = shop("describe", "pod", "nope", "-n", "shop", code=1)
    assert said.err == 'Error from server (NotFound): pods "nope" not found\n'
    shop("describe", "pod/web-", "-n", "shop", code=1)
