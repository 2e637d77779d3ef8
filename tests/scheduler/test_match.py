from __future__ import annotations

from typing import Any

import pytest

from kctl.scheduler import match

TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        pytest.param({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, True, id="the same"),
        pytest.param({"key": "gpu", "operator": "Equal", "value": "no"}, False, id="another value"),
        pytest.param({"key": "gpu", "operator": "Exists"}, True, id="any value"),
        pytest.param({"operator": "Exists"}, True, id="any taint"),
        pytest.param({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False, id="another effect"),
        pytest.param({"key": "cpu", "operator": "Exists"}, False, id="another key"),
        pytest.param({"key": "gpu", "operator": "Near"}, False, id="an operator nobody knows"),
    ],
)
def test_tolerations(toleration: dict[str, Any], tolerated: bool) -> None:
    assert match.tolerates(toleration, TAINT) is tolerated


def test_the_first_untolerated_taint_is_found() -> None:
    other = {**TAINT, "key": "disk"}
    assert match.untolerated([TAINT, other], [{"key": "gpu", "operator": "Exists"}]) == other


@pytest.mark.parametrize(
    ("operator", "values", "labels", "matches"),
    [
        ("In", ["a", "b"], {"k": "b"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"k": ""}, True),
        ("DoesNotExist", [], {"k": ""}, False),
        ("Gt", ["5"], {"k": "6"}, True),
        ("Gt", ["5"], {"k": "5"}, False),
        ("Gt", ["5"], {"k": "many"}, False),
        ("Lt", ["5"], {"k": "-1"}, True),
        ("Lt", ["5"], {}, False),
        ("Gt", ["many"], {"k": "6"}, False),
    ],
)
def test_node_selector_requirements(operator: str, values: list[str], labels: dict[str, str], matches: bool) -> None:
    found = match.requirement({"key": "k", "operator": operator, "values": values})
    assert found(labels) is matches


def test_an_empty_node_selector_term_matches_nothing() -> None:
    assert not match.node_selector({"nodeSelectorTerms": [{}]})("n", {})


def test_terms_are_alternatives_and_fields_name_the_node() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    label = {"key": "disk", "operator": "Exists"}
    selector = match.node_selector({"nodeSelectorTerms": [{"matchFields": [field]}, {"matchExpressions": [label]}]})
    assert selector("n1", {})
    assert selector("n2", {"disk": ""})
    assert not selector("n2", {})


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        pytest.param(None, {"a": "1"}, False, id="no selector matches nothing"),
        pytest.param({}, {}, True, id="an empty selector matches everything"),
        pytest.param({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1", "b": "2", "c": "3"}, True, id="all labels"),
        pytest.param({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1"}, False, id="some labels"),
        pytest.param({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True, id="not in"),
    ],
)
def test_label_selectors(selector: dict[str, Any] | None, labels: dict[str, str], matches: bool) -> None:
    assert match.labels_matching(selector)(labels) is matches


@pytest.mark.parametrize("text", ["", "+", "1.0", "1_000", "²", "9" * 20, None, "0x1"])
def test_what_go_does_not_read_as_an_integer_is_none(text: str | None) -> None:
    assert match.integer(text) is None
