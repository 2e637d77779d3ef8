"""Tables as text: what kubectl prints of cells, columns and several kinds."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api import printers
from kctl.api.clock import EPOCH
from kctl.api.printers import Column, Printer
from kctl.cli import tables

AT = "2026-01-01T00:00:00Z"


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": AT}, **more}


CELLS = [
    ("null", None, ""),
    ("yes", True, "true"),
    ("a number", 3, "3"),
    ("a fraction", 1.5, "1.5"),
    ("text", "a b", "a b"),
    ("several lines", "a\nb\r", "a..."),
    ("an empty first line", "\nb", "..."),
]


@pytest.mark.parametrize(("cell", "text"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS])
def test_a_cell_is_printed_as_kubectl_does(cell: Any, text: str) -> None:
    printer = Printer((Column("A"), Column("End")), lambda *_: [cell, "x"])
    assert tables.objects(printer, [named("a")], EPOCH, show_headers=False) == f"{text}   x\n"


def test_a_kind_without_columns_shows_when_it_was_created() -> None:
    text = tables.objects(printers.of("limitranges"), [named("a")], EPOCH + 60)
    assert text.splitlines() == ["NAME   CREATED AT", f"a      {AT}"]


def test_only_the_first_column_of_names_gets_the_kind_before_it() -> None:
    spec = {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    text = tables.objects(
        printers.of("volumeattachments.storage.k8s.io"), [named("a", spec=spec)], EPOCH, name_prefix="k/"
    )
    assert text.splitlines()[1].split()[:2] == ["k/a", "csi.example.com"]


def test_wide_listings_alone_show_what_has_priority() -> None:
    printer = printers.of("rolebindings.rbac.authorization.k8s.io")
    items = [named("a", roleRef={"kind": "Role", "name": "r"}, subjects=[{"kind": "User", "name": "u"}])]
    assert tables.objects(printer, items, EPOCH).split() == ["NAME", "ROLE", "AGE", "a", "Role/r", "0s"]
    assert tables.objects(printer, items, EPOCH, wide=True).split()[-1] == "u"


def test_flow_schemas_are_listed_in_the_order_they_are_tried() -> None:
    items = [named("late", spec={"matchingPrecedence": 9}), named("early", spec={"matchingPrecedence": 1})]
    text = tables.objects(printers.of("flowschemas.flowcontrol.apiserver.k8s.io"), items, EPOCH, show_headers=False)
    assert [line.split()[0] for line in text.splitlines()] == ["early", "late"]


MORE = "CONTAINERS IMAGES SELECTOR"
WHO = "USERS GROUPS SERVICEACCOUNTS"
COLUMNS = [
    ("apiservices.apiregistration.k8s.io", "NAME SERVICE AVAILABLE AGE", ""),
    ("clusterrolebindings.rbac.authorization.k8s.io", "NAME ROLE AGE", WHO),
    ("clusterroles.rbac.authorization.k8s.io", "NAME CREATED_AT", ""),
    ("configmaps", "NAME DATA AGE", ""),
    ("cronjobs.batch", "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST_SCHEDULE AGE", MORE),
    ("customresourcedefinitions.apiextensions.k8s.io", "NAME CREATED_AT", ""),
    ("daemonsets.apps", "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE_SELECTOR AGE", MORE),
    ("deployments.apps", "NAME READY UP-TO-DATE AVAILABLE AGE", MORE),
    ("endpoints", "NAME ENDPOINTS AGE", ""),
    ("endpointslices.discovery.k8s.io", "NAME ADDRESSTYPE PORTS ENDPOINTS AGE", ""),
    ("horizontalpodautoscalers.autoscaling", "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE", ""),
    ("ingresses.networking.k8s.io", "NAME CLASS HOSTS ADDRESS PORTS AGE", ""),
    ("jobs.batch", "NAME STATUS COMPLETIONS DURATION AGE", MORE),
    ("namespaces", "NAME STATUS AGE", ""),
    ("networkpolicies.networking.k8s.io", "NAME POD-SELECTOR AGE", ""),
    (
        "nodes",
        "NAME STATUS ROLES AGE VERSION",
        "INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
    ),
    (
        "persistentvolumeclaims",
        "NAME STATUS VOLUME CAPACITY ACCESS_MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE",
        "VOLUMEMODE",
    ),
    ("poddisruptionbudgets.policy", "NAME MIN_AVAILABLE MAX_UNAVAILABLE ALLOWED_DISRUPTIONS AGE", ""),
    ("pods", "NAME READY STATUS RESTARTS AGE", "IP NODE NOMINATED_NODE READINESS_GATES"),
    ("replicasets.apps", "NAME DESIRED CURRENT READY AGE", MORE),
    ("rolebindings.rbac.authorization.k8s.io", "NAME ROLE AGE", WHO),
    ("roles.rbac.authorization.k8s.io", "NAME CREATED_AT", ""),
    ("secrets", "NAME TYPE DATA AGE", ""),
    ("serviceaccounts", "NAME SECRETS AGE", ""),
    ("services", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE", "SELECTOR"),
    ("statefulsets.apps", "NAME READY AGE", "CONTAINERS IMAGES"),
]
"""What kubectl 1.36 prints of the kinds that repositories hold, and what -o wide adds; ``_`` is a space."""


@pytest.mark.parametrize(("resource", "plain", "wide"), COLUMNS, ids=[case[0] for case in COLUMNS])
def test_the_columns_of_a_kind_are_kubectls(resource: str, plain: str, wide: str) -> None:
    def heads(*, wide: bool) -> list[str]:
        return [column.name.upper() for column in printers.of(resource).columns if wide or column.priority == 0]

    assert heads(wide=False) == [name.replace("_", " ") for name in plain.split()]
    assert heads(wide=True) == [name.replace("_", " ") for name in f"{plain} {wide}".split()]
