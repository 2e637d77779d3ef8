"""Validation of what slices offer and claims ask for, by field and in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.validation import devices, offers

Obj = dict[str, Any]
POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}
NOT_C = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters "
    "or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
)


def offer(*of: Obj, **more: Any) -> Obj:
    place = {} if "nodeSelector" in more or "perDeviceNodeSelection" in more else {"nodeName": "n"}
    return {"spec": {"driver": "d.example.com", "pool": POOL, "devices": list(of), **place, **more}}


def device(**more: Any) -> Obj:
    return {"name": "d", **more}


def share(value: str = "10", **policy: Any) -> Obj:
    return device(allowMultipleAllocations=True, capacity={"m": {"value": value, "requestPolicy": policy}})


def said(check: Any, obj: Obj) -> list[tuple[str, str]]:
    out: list[Any] = []
    check(obj, out)
    return [(error.field, error.detail) for error in out]


AT = "spec.devices[0]"


@pytest.mark.parametrize(
    ("obj", "field", "detail"),
    [
        (offer(device(attributes={"a b": {"int": 1}})), f"{AT}.attributes[a b]", NOT_C),
        (offer(device(attributes={"/a": {"int": 1}})), f"{AT}.attributes[/a]", "the domain must not be empty"),
        (offer(device(capacity={"x.com/": {"value": "1"}})), f"{AT}.capacity[x.com/]", "the name must not be empty"),
        (
            offer(device(attributes={f"a{n}": {"int": 1} for n in range(33)})),
            AT,
            "the total number of attributes and capacities must not exceed 32",
        ),
        (offer(device(taints=[{"key": "k"}])), f"{AT}.taints[0].effect", ""),
        (
            offer(device(taints=[{"key": "k", "effect": "Foo"}])),
            f"{AT}.taints[0].effect",
            'supported values: "NoExecute", "NoSchedule", "None"',
        ),
        (offer(device(taints=[{"key": "k", "effect": "None"}] * 17)), f"{AT}.taints", "must have at most 16 items"),
        (offer(device(consumesCounters=[{"counterSet": "s"}])), f"{AT}.consumesCounters[0].counters", ""),
        (
            offer(device(consumesCounters=[{"counters": {"m": {"value": "1"}}}])),
            f"{AT}.consumesCounters[0].counterSet",
            "",
        ),
        (
            offer(device(capacity={"m": {"value": "1", "requestPolicy": {}}})),
            f"{AT}.capacity[m].requestPolicy",
            "allowMultipleAllocations must be true",
        ),
        (
            offer(share(validValues=["1"])),
            f"{AT}.capacity[m].requestPolicy.default",
            "required when validValues is defined",
        ),
        (
            offer(share(default="3", validValues=["2", "1", "11"])),
            f"{AT}.capacity[m].requestPolicy.validValues",
            "default value is not valid according to the requestPolicy",
        ),
        (
            offer(share(default="3", validValues=["3", "1"])),
            f"{AT}.capacity[m].requestPolicy.validValues[1]",
            "values must be sorted in ascending order",
        ),
        (
            offer(share(default="3", validRange={"min": "2", "max": "11", "step": "2"})),
            f"{AT}.capacity[m].requestPolicy.validRange.step",
            "value is not a multiple of a given step (2) from (2)",
        ),
        (
            offer(share(default="3", validRange={"min": "2", "max": "11"})),
            f"{AT}.capacity[m].requestPolicy.validRange.max",
            "max is larger than capacity value: 10",
        ),
        (
            offer(share(default="1", validRange={"max": "1"})),
            f"{AT}.capacity[m].requestPolicy.validRange.min",
            "required when validRange is defined",
        ),
        (offer(share(validValues=["1"], validRange={})), f"{AT}.capacity[m].requestPolicy", offers.ONE_POLICY),
        (offer(device(allNodes=True)), AT, offers.NO_PLACE),
        (offer(device(), perDeviceNodeSelection=True), AT, offers.OWN_PLACE),
        (offer(device(allNodes=True, nodeName="n"), perDeviceNodeSelection=True), AT, offers.OWN_PLACE),
        (offer(device(nodeName=""), perDeviceNodeSelection=True), f"{AT}.nodeName", "must not be empty"),
        (
            offer(nodeSelector={"nodeSelectorTerms": [{}, {}]}),
            "spec.nodeSelector.nodeSelectorTerms",
            "must have exactly one node selector term",
        ),
        (offer(allNodes=False), "spec.allNodes", "must be either unset or set to true"),
        (
            offer(device(), sharedCounters=[{"name": "s", "counters": {"m": {"value": "1"}}}]),
            "spec",
            "only one of `sharedCounters` or `devices` is allowed",
        ),
        (offer(sharedCounters=[{"counters": {"m": {"value": "1"}}}]), "spec.sharedCounters[0].name", ""),
        (
            offer(device(bindingConditions=["a"])),
            f"{AT}.bindingFailureConditions",
            "bindingFailureConditions are required to use bindingConditions",
        ),
        (
            offer(device(bindingConditions=["a"], bindingFailureConditions=["a"])),
            f"{AT}.bindingFailureConditions[0]",
            "bindingFailureConditions must not overlap with bindingConditions",
        ),
        (
            offer(*({"name": f"d-{n}", "taints": [{"key": "k", "effect": "None"}]} for n in range(65))),
            "spec.devices",
            "must have at most 64 items",
        ),
    ],
)
def test_what_is_wrong_with_a_slice_is_said(obj: Obj, field: str, detail: str) -> None:
    assert (field, detail) in said(devices.device_slice, obj)


def test_what_upstream_takes_is_taken() -> None:
    rich = device(
        attributes={"a": {"int": 1}, "x.com/b": {"bool": True}},
        taints=[{"key": "k", "value": "v", "effect": "NoExecute"}],
        allowMultipleAllocations=True,
        capacity={"m": {"value": "10", "requestPolicy": {"default": "4", "validRange": {"min": "2", "step": "2"}}}},
        consumesCounters=[{"counterSet": "s", "counters": {"m": {"value": "1"}}}],
        bindingConditions=["a"],
        bindingFailureConditions=["b"],
    )
    assert said(devices.device_slice, offer(rich)) == []
    assert said(devices.device_slice, offer(device(allNodes=True), perDeviceNodeSelection=True)) == []


def claim(*tolerations: Obj, **constraint: str) -> Obj:
    exactly = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1, "tolerations": list(tolerations)}
    constraints = [constraint] if constraint else []
    return {"spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}], "constraints": constraints}}}


@pytest.mark.parametrize(
    ("obj", "field", "detail"),
    [
        (claim(matchAttribute="numa"), "constraints[0].matchAttribute", offers.FULL_NAME),
        (claim(distinctAttribute="x.com/a b"), "constraints[0].distinctAttribute", NOT_C),
        (
            claim({"key": "k", "operator": "Exists", "value": "v"}),
            "requests[0].exactly.tolerations[0].value",
            "must be empty for operator `Exists`",
        ),
        (
            claim({"key": "k", "operator": "Is"}),
            "requests[0].exactly.tolerations[0].operator",
            'supported values: "Equal", "Exists"',
        ),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(obj: Obj, field: str, detail: str) -> None:
    assert said(devices.claim, obj) == [(f"spec.devices.{field}", detail)]


def test_an_extended_resource_of_a_class_has_its_form() -> None:
    assert said(devices.device_class, {"spec": {"extendedResourceName": "example.com/gpu"}}) == []
    wrong = {"spec": {"extendedResourceName": "cpu"}}
    assert said(devices.device_class, wrong) == [
        ("spec.extendedResourceName", "must be a valid extended resource name")
    ]
