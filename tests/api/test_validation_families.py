"""Validation of the kinds beyond pods and workloads: what is refused, in which words."""

from __future__ import annotations

import pytest

from kctl.api import defaults, registry, strategy, validation
from kctl.api.objects import evolve
from kctl.api.validation import cron, job_policies

META = {"name": "x"}
TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
BASES = {
    "Job": {"apiVersion": "batch/v1", "spec": {"template": TEMPLATE}},
    "CronJob": {
        "apiVersion": "batch/v1",
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": TEMPLATE}}},
    },
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
    },
    "Ingress": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
    },
    "IngressClass": {"apiVersion": "networking.k8s.io/v1", "spec": {"controller": "a.b/c"}},
    "NetworkPolicy": {"apiVersion": "networking.k8s.io/v1", "spec": {"podSelector": {}}},
    "PodDisruptionBudget": {"apiVersion": "policy/v1", "spec": {"minAvailable": 1}},
    "Role": {"apiVersion": "rbac.authorization.k8s.io/v1", "rules": []},
    "RoleBinding": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    },
    "LimitRange": {"apiVersion": "v1", "spec": {"limits": []}},
    "ResourceQuota": {"apiVersion": "v1", "spec": {"hard": {"pods": "1"}}},
    "RuntimeClass": {"apiVersion": "node.k8s.io/v1", "handler": "runc"},
    "StorageClass": {"apiVersion": "storage.k8s.io/v1", "provisioner": "a/b"},
    "CSIDriver": {"apiVersion": "storage.k8s.io/v1", "spec": {}},
    "PersistentVolume": {
        "apiVersion": "v1",
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/a"}},
    },
    "PersistentVolumeClaim": {
        "apiVersion": "v1",
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    },
    "Endpoints": {"apiVersion": "v1"},
    "ServiceCIDR": {"apiVersion": "networking.k8s.io/v1", "spec": {"cidrs": ["10.0.0.0/24"]}},
    "FlowSchema": {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "spec": {"priorityLevelConfiguration": {"name": "p"}},
    },
    "APIService": {
        "apiVersion": "apiregistration.k8s.io/v1",
        "spec": {"group": "a.b", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1},
    },
    "ValidatingWebhookConfiguration": {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "webhooks": [
            {
                "name": "a.b.c",
                "clientConfig": {"url": "https://h/p"},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    },
}
NAMES = {"APIService": "v1.a.b"}


def made(name, changes=None):
    kind = registry.builtin().by_kind(BASES[name]["apiVersion"], name)
    meta = {"name": NAMES.get(name, "x"), "uid": "u", **({"namespace": "default"} if kind.namespaced else {})}
    obj = evolve({"kind": name, **BASES[name], "metadata": meta}, changes or {})
    return kind, strategy.prepare_create(kind, defaults.apply(kind, obj))


def texts(name, changes):
    return [str(error) for error in validation.create(*made(name, changes))]


@pytest.mark.parametrize("name", sorted(BASES))
def test_a_plain_object_is_accepted(name):
    assert texts(name, {}) == []


REFUSED = [
    ("Job", {"spec": {"parallelism": -1}}, "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
    (
        "Job",
        {"spec": {"maxFailedIndexes": 1}},
        "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
    ),
    ("Job", {"spec": {"managedBy": "x"}}, 'spec.managedBy: Invalid value: "x": must be a domain-prefixed path'),
    ("CronJob", {"spec": {"schedule": ""}}, "spec.schedule: Required value"),
    ("CronJob", {"spec": {"timeZone": "Nope/X"}}, 'spec.timeZone: Invalid value: "Nope/X": unknown time zone Nope/X'),
    ("CronJob", {"metadata": {"name": "a" * 53}}, "must be no more than 52 characters"),
    (
        "HorizontalPodAutoscaler",
        {"spec": {"maxReplicas": 0}},
        "spec.maxReplicas: Required value: must be set and greater than 0",
    ),
    (
        "HorizontalPodAutoscaler",
        {"spec": {"metrics": [{"type": "Pods"}]}},
        "spec.metrics[0].pods: Required value: must populate information for the given metric source",
    ),
    ("Ingress", {"spec": {"defaultBackend": {"service": {"port": {"number": 0}}}}}, "port name or number is required"),
    (
        "Ingress",
        {"spec": {"rules": [{"http": {"paths": [{"pathType": "exact", "backend": {}}]}}]}},
        'pathType: Unsupported value: "exact": supported values: "Exact", "ImplementationSpecific", "Prefix"',
    ),
    ("IngressClass", {"spec": {"controller": ""}}, "spec.controller: Required value"),
    (
        "NetworkPolicy",
        {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]}]}},
        'except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ),
    (
        "NetworkPolicy",
        {"spec": {"egress": [{"to": [{}]}]}},
        "spec.egress[0].to[0]: Required value: must specify a peer",
    ),
    (
        "PodDisruptionBudget",
        {"spec": {"maxUnavailable": "150%", "minAvailable": None}},
        'spec.maxUnavailable: Invalid value: "150%": must not be greater than 100%',
    ),
    ("Role", {"rules": [{"verbs": []}]}, "rules[0].verbs: Required value: verbs must contain at least one value"),
    (
        "RoleBinding",
        {"roleRef": {"kind": "X"}},
        'roleRef.kind: Unsupported value: "X": supported values: "Role", "ClusterRole"',
    ),
    ("RoleBinding", {"subjects": [{"kind": "User"}]}, "subjects[0].name: Required value"),
    (
        "LimitRange",
        {"spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
        "min value 2 is greater than max value 1",
    ),
    ("ResourceQuota", {"spec": {"hard": {"nope": "1"}}}, "must be a standard resource for quota"),
    ("ResourceQuota", {"spec": {"scopes": ["BestEffort", "NotBestEffort"]}}, "conflicting scopes"),
    ("RuntimeClass", {"handler": ""}, "handler: Required value"),
    ("StorageClass", {"provisioner": ""}, "provisioner: Required value"),
    ("CSIDriver", {"spec": {"volumeLifecycleModes": ["x"]}}, 'supported values: "Persistent", "Ephemeral"'),
    ("PersistentVolume", {"spec": {"capacity": {"storage": "-1"}}}, "must be greater than zero"),
    ("PersistentVolume", {"spec": {"nfs": {"server": "s", "path": "/"}}}, "may not specify more than 1 volume type"),
    ("PersistentVolumeClaim", {"spec": {"accessModes": []}}, "at least 1 access mode is required"),
    ("Endpoints", {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}, "may not be in the loopback range"),
    (
        "ServiceCIDR",
        {"spec": {"cidrs": ["10.0.0.0/24", "10.1.0.0/24"]}},
        "may specify no more than one IP for each IP family",
    ),
    ("FlowSchema", {"spec": {"matchingPrecedence": 10001}}, "must not be greater than 10000"),
    ("APIService", {"spec": {"version": "v2"}}, 'must be `spec.version+"."+spec.group`: "v2.a.b"'),
    (
        "ValidatingWebhookConfiguration",
        {"webhooks": [{"name": "a.b", "clientConfig": {}, "admissionReviewVersions": ["v1"]}]},
        'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments',
    ),
]


@pytest.mark.parametrize(("name", "changes", "expected"), REFUSED)
def test_what_is_wrong_is_said(name, changes, expected):
    found = texts(name, changes)
    assert any(expected in text for text in found), found


UPDATES = [
    ("Job", {"spec": {"completionMode": "Indexed", "completions": 1}}, "spec.completionMode: Invalid value"),
    ("RoleBinding", {"roleRef": {"name": "other"}}, "cannot change roleRef"),
    ("StorageClass", {"provisioner": "c/d"}, 'provisioner: Invalid value: "c/d": field is immutable'),
    ("RuntimeClass", {"handler": "other"}, 'handler: Invalid value: "other": field is immutable'),
    ("PersistentVolume", {"spec": {"hostPath": {"path": "/b"}}}, "persistentvolumesource is immutable after creation"),
    (
        "PersistentVolumeClaim",
        {"spec": {"storageClassName": "a", "volumeMode": "Block"}},
        "spec is immutable after creation",
    ),
    (
        "ServiceCIDR",
        {"spec": {"cidrs": ["10.9.0.0/24"]}},
        'spec.cidrs[0]: Invalid value: "10.9.0.0/24": field is immutable',
    ),
]


@pytest.mark.parametrize(("name", "changes", "expected"), UPDATES)
def test_what_may_not_change_is_said(name, changes, expected):
    kind, old = made(name)
    old = evolve(old, {"metadata": {"resourceVersion": "1"}})
    found = [str(error) for error in validation.update(kind, evolve(old, changes), old)]
    assert any(expected in text for text in found), found


@pytest.mark.parametrize("name", sorted(BASES))
def test_an_unchanged_object_may_be_written_again(name):
    kind, old = made(name)
    old = evolve(old, {"metadata": {"resourceVersion": "1"}})
    assert validation.update(kind, old, old) == []


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("*/5 0-6,12 1 jan-mar mon", ""),
        ("@every 1h", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("@hourlyx", "unrecognized descriptor: @hourlyx"),
    ],
)
def test_a_cron_schedule_is_read_as_upstream_reads_it(schedule, why):
    assert cron.error(schedule) == why


@pytest.mark.parametrize(
    ("text", "total"), [("", 0), ("0", 1), ("0,2-4", 4), ("1-1", None), ("3,2", None), ("9", None)]
)
def test_indexes_are_counted_when_they_rise(text, total):
    if total is None:
        with pytest.raises(ValueError, match=r"non-increasing|too large"):
            job_policies.count_indexes(text, 5)
    else:
        assert job_policies.count_indexes(text, 5) == total


@pytest.mark.parametrize(
    ("address", "want"),
    [
        ("224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        ("ff02::1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        ("::ffff:127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("169.254.1.1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("::", "may not be unspecified (::)"),
        ("010.0.0.1", ""),
    ],
)
def test_services_are_reached_at_addresses_others_can_send_to(address, want):
    from kctl.api.validation import services

    out = []
    services.reachable(address, "spec.externalIPs[0]", out)
    assert [error.detail for error in out] == ([want] if want else [])


@pytest.mark.parametrize(
    ("narrowed", "want"),
    [
        ({"labelSelector": {"requirements": [{"key": "a", "operator": "Newer"}]}}, []),
        ({"fieldSelector": {"rawSelector": "a=b"}}, []),
        (
            {"fieldSelector": {}},
            [
                "spec.resourceAttributes.fieldSelector.requirements: Required value: when "
                "spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required"
            ],
        ),
        (
            {"labelSelector": {"rawSelector": "a", "requirements": [{"key": "a b", "operator": "In"}]}},
            [
                'rawSelector: Invalid value: "a": may not specified at the same time as requirements',
                "requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                'requirements[0].key: Invalid value: "a b"',
            ],
        ),
        ({"fieldSelector": {"requirements": [{"operator": "Exists"}]}}, ["requirements[0].key: Required value"]),
    ],
)
def test_what_narrows_an_access_review_is_checked(narrowed, want):
    from kctl.api.validation import others

    out = []
    others.self_review({"spec": {"resourceAttributes": {"verb": "list", **narrowed}}}, out)
    assert len(out) == len(want)
    assert all(text in str(error) for error, text in zip(out, want, strict=True))
