"""Differences, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import schema
from kctl.api.registry import builtin
from kctl.gitops.fielddiff import changes


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return deployment(template={"spec": {"containers": list(items)}})


def found(before: Any, after: Any, kind: str = "Deployment", version: str = "apps/v1") -> list[dict[str, Any]]:
    known = builtin().by_kind(version, kind)
    assert known is not None
    return [change.data() for change in changes(before, after, schema.of(known))]


AT = "spec.template.spec.containers"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (deployment(replicas=1), deployment(replicas=2), [{"path": "spec.replicas", "from": 1, "to": 2}]),
        (deployment(), deployment(paused=True), [{"path": "spec.paused", "to": True}]),
        (deployment(paused=False), deployment(), [{"path": "spec.paused", "from": False}]),
        (
            containers({"name": "a", "image": "x"}, {"name": "b"}),
            containers({"name": "a", "image": "y"}, {"name": "b"}),
            [{"path": f"{AT}[name=a].image", "from": "x", "to": "y"}],
        ),
        (
            containers({"name": "a"}),
            containers({"name": "a"}, {"name": "b"}),
            [{"path": f"{AT}[name=b]", "to": {"name": "b"}}],
        ),
        (
            containers({"name": "a"}, {"name": "b"}),
            containers({"name": "b"}, {"name": "a"}),
            [{"path": AT, "from": ["[name=a]", "[name=b]"], "to": ["[name=b]", "[name=a]"]}],
        ),
        (
            containers({"name": "a", "args": ["1", "2"]}),
            containers({"name": "a", "args": ["1", "3"]}),
            [{"path": f"{AT}[name=a].args", "from": ["1", "2"], "to": ["1", "3"]}],
        ),
        (
            containers({"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}),
            containers({"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP", "hostPort": 8}]}),
            [{"path": f"{AT}[name=a].ports[containerPort=80,protocol=TCP].hostPort", "to": 8}],
        ),
    ],
)
def test_each_field_that_differs_is_named(before: Any, after: Any, expected: Any) -> None:
    assert found(before, after) == expected


def test_keys_with_dots_stand_in_brackets() -> None:
    before = {"metadata": {"labels": {"app.kubernetes.io/name": "a"}}}
    after = {"metadata": {"labels": {"app.kubernetes.io/name": "b"}}}
    assert found(before, after) == [{"path": "metadata.labels[app.kubernetes.io/name]", "from": "a", "to": "b"}]


def test_what_the_server_keeps_is_left_out() -> None:
    meta = {"resourceVersion": "1", "uid": "u", "generation": 1, "managedFields": [], "creationTimestamp": "x"}
    before = {"metadata": meta, "status": {"a": 1}}
    after = {"metadata": {name: f"{value}!" for name, value in meta.items()}, "status": {"a": 2}}
    assert found(before, after) == []


def test_no_value_of_a_secret_gets_out() -> None:
    last = "kubectl.kubernetes.io/last-applied-configuration"

    def secret(data: dict[str, str], note: str) -> dict[str, Any]:
        meta = {"name": "s", "annotations": {last: note, "note": note}}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}

    out = found(
        secret({"a": "X1", "b": "X2", "d": "X3"}, "x"), secret({"a": "X4", "c": "X5", "d": "X3"}, "y"), "Secret", "v1"
    )
    assert out == [
        {"path": "data.a", "from": "*** (before)", "to": "*** (after)"},
        {"path": "data.b", "from": "***"},
        {"path": "data.c", "to": "***"},
        {"path": f"metadata.annotations[{last}]", "from": "*** (before)", "to": "*** (after)"},
        {"path": "metadata.annotations.note", "from": "x", "to": "y"},
    ]
    assert "X" not in str(found(None, secret({"a": "X1"}, "z"), "Secret", "v1"))


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abname"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_there_is_a_difference_exactly_when_there_is_one(left: Any, right: Any) -> None:
    assert bool(changes({"spec": left}, {"spec": right})) == (left != right)
