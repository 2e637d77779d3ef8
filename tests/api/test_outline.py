"""Writes with the same outline have the same owners: the memo never changes what is computed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from kctl.api import registry, schema
from kctl.api.patch import managed, shape
from kctl.api.patch.outline import LIMIT, Drawn, Memo, outline
from kctl.api.registry import Kind

Obj = dict[str, Any]


def kind_of(api_version: str, name: str) -> Kind:
    found = registry.builtin().by_kind(api_version, name)
    assert found is not None
    return found


POD = kind_of("v1", "Pod")


def random_pod(rng: random.Random) -> Obj:
    """Return a pod in which every field may be there or not, whole, empty or null."""

    def maybe(value: Any) -> Any:
        return rng.choice([value, value, value, {} if isinstance(value, dict) else [], None])

    conditions = [{"type": t, "status": rng.choice(("True", "False"))} for t in rng.sample("abc", rng.randint(0, 3))]
    containers = [
        {"name": n, "image": rng.choice("xy"), "env": maybe([{"name": "E", "value": rng.choice("12")}])}
        for n in rng.sample("cd", rng.randint(0, 2))
    ]
    meta: Obj = {"name": "p", "labels": maybe({k: rng.choice("12") for k in rng.sample("lm", rng.randint(0, 2))})}
    meta["finalizers"] = maybe(rng.sample(["f/a", "f/b"], rng.randint(0, 2)))
    out: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {k: v for k, v in meta.items() if v is not None}}
    if rng.random() < 0.9:
        out["spec"] = {"containers": containers, "nodeSelector": maybe({"a": rng.choice("12")})}
        out["spec"]["securityContext"] = maybe({"runAsUser": rng.randint(0, 1)})
    if rng.random() < 0.9:
        ips = [{"ip": f"10.0.0.{n}"} for n in rng.sample(range(1, 4), rng.choice((1, 1, 1, 2)))]
        out["status"] = {
            "podIPs": maybe(ips),
            "conditions": maybe(conditions),
            "phase": rng.choice(("Pending", "Running")),
        }
    return out


def random_role(rng: random.Random) -> Obj:
    """Return a role, whose rules are there also when they are not set."""
    rules: Obj = {"rules": rng.choice([None, [], [{"verbs": ["get"]}], [{"verbs": ["list"]}]])}
    meta: Obj = {"name": "r", "labels": rng.choice([None, {}, {"a": "1"}])}
    out: Obj = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta}
    return out if rng.random() < 0.2 else {**out, **rules}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("kind", "make"),
    [(POD, random_pod), (kind_of("rbac.authorization.k8s.io/v1", "Role"), random_role)],
    ids=("Pod", "Role"),
)
def test_with_and_without_memory_owners_are_the_same(
    seed: int, kind: Kind, make: Callable[[random.Random], Obj]
) -> None:
    rng = random.Random(seed)
    memo, node = Memo(), schema.of(kind)
    plain: Obj | None = None
    quick: Obj | None = None
    for _ in range(120):
        how: Any = {
            "manager": rng.choice(("kubelet", "kctl", "")),
            "api_version": kind.api_version,
            "now": float(rng.randint(0, 2)),
            "subresource": rng.choice(("", "status")),
        }
        new = make(rng)
        if rng.random() < 0.3:
            plain = quick = None
        else:
            given = rng.choice([None, None, []])
            if given is not None:
                new["metadata"]["managedFields"] = given
        plain = managed.updated(plain, new, node, **how)
        quick = managed.updated(quick, new, node, memo=memo, **how)
        assert quick == plain
        assert list(quick["metadata"]) == list(plain["metadata"])


def test_objects_written_alike_share_their_managed_fields() -> None:
    memo, node = Memo(), schema.of(POD)
    how: Any = {"manager": "m", "api_version": "v1", "now": 0.0, "memo": memo}
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": n, "labels": {"a": n}}} for n in "pq"]
    first, second = (managed.updated(None, pod, node, **how) for pod in pods)
    assert first["metadata"]["managedFields"] is second["metadata"]["managedFields"]


def test_the_outline_names_what_changed_and_not_its_value() -> None:
    what = shape.of(schema.of(POD))
    old = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    one, two = (
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": image}]}} for image in ("b", "d")
    )
    assert outline(what, old, one) == outline(what, old, two) != outline(what, old, old)
    unchanged = outline(what, old, old)
    assert unchanged is not None
    assert unchanged.steps == ((),)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"spec": {"containers": {"name": "c"}}}, id="a map where a list is expected"),
        pytest.param({"spec": {"containers": [{"image": "a"}, None]}}, id="an item without a place"),
        pytest.param({"spec": {"containers": [{"name": "c"}, {"name": "c"}]}}, id="two items in one place"),
    ],
)
def test_what_is_unusual_has_no_outline(odd: Obj) -> None:
    old = {"spec": {"containers": [{"name": "x"}]}}
    assert outline(shape.of(schema.of(POD)), old, odd) is None


def test_pods_that_differ_in_their_address_alone_share_all_but_its_place() -> None:
    memo, node = Memo(), schema.of(POD)
    written: list[list[Obj]] = []
    for n in (1, 2, 3):
        status: Obj = {"podIPs": [{"ip": f"10.0.0.{n}"}], "phase": "Pending", "conditions": [{"type": "Ready"}]}
        plain = quick = pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{n}", "labels": {"a": "b"}}}
        for subresource, change in (("", {}), ("status", status), ("status", {**status, "phase": "x"}), ("status", {})):
            how: Any = {"manager": "m", "api_version": "v1", "now": 0.0, "subresource": subresource}
            old = plain if subresource else None
            plain = managed.updated(old, {**plain, "status": change}, node, **how)
            quick = managed.updated(quick if subresource else None, {**quick, "status": change}, node, memo=memo, **how)
            assert quick == plain
            written.append(quick["metadata"]["managedFields"])
        assert plain is not pod
    one, two = (entries[-1]["fieldsV1"]["f:status"] for entries in (written[6], written[10]))
    assert one["f:podIPs"] != two["f:podIPs"]
    assert one["f:conditions"] is two["f:conditions"]


def test_a_memo_stays_small() -> None:
    memo = Memo()
    calls = []

    def make() -> None:
        calls.append(1)

    for n in (*range(LIMIT + 5), LIMIT + 4, 0):
        memo.updated(None, None, Drawn((n,)), (), make)
    assert len(calls) == LIMIT + 6  # the last was remembered, the first no more
