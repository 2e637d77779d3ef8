"""Who owns what after a write is found once for all moments, and is never another than what is worked out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kctl.api import registry, schema
from kctl.api.patch import managed, outline, timeless
from kctl.api.patch.outline import Memo
from kctl.api.patch.timeless import beside

Obj = dict[str, Any]
POD = registry.builtin().by_kind("v1", "Pod")
assert POD is not None
NODE = schema.of(POD)
NOBODY: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}


def status(n: int, kind: str) -> Obj:
    address = f"10.0.0.{n + 1}"
    out: Obj = {"phase": "Running"}
    if kind != "waiting":
        out |= {"podIP": address, "podIPs": [{"ip": address}]}
    if kind == "both":
        out["podIPs"].append({"ip": f"fd00::{n + 1}"})
    if kind == "ready":
        out["conditions"] = [{"type": "Ready", "status": "True"}]
    return out


WHAT = ["labels", "a label", "spec", "no labels", "waiting", "running", "ready", "ready", "both", "read"]
SCRIPT = st.lists(
    st.tuples(st.sampled_from(WHAT), st.sampled_from(["kubelet", "kctl", "other"])), min_size=2, max_size=7
)
"""What is written, and by whom: by each of some objects in its own time."""
PAUSES = st.lists(st.lists(st.sampled_from([0, 0, 1, 2, -1]), min_size=7, max_size=7), min_size=2, max_size=5)


def written(old: Obj, n: int, what: str) -> tuple[Obj, str]:
    """Return an object after a write, and the subresource it is of."""
    meta = old["metadata"]
    if what == "labels":
        return {**old, "metadata": {**meta, "labels": {"a": "1", "b": "1"}}}, ""
    if what == "a label":
        return {**old, "metadata": {**meta, "labels": {"a": "1"}}}, ""
    if what == "no labels":
        return {**old, "metadata": {name: value for name, value in meta.items() if name != "labels"}}, ""
    if what == "spec":
        return {**old, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}, ""
    if what == "read":  # from the store
        fields = meta.get("managedFields")
        copied = [dict(entry) for entry in fields] if fields else None
        return {**old, "metadata": {**meta, **({"managedFields": copied} if copied else {})}}, "read"
    return {**old, "status": status(n, what)}, "status"


@given(SCRIPT, PAUSES, st.booleans(), st.sampled_from([2, 4096]))
@example([("labels", "kctl"), ("ready", "kubelet"), ("a label", "other")], [[1] * 7, [2] * 7], False, 4096)
@example([("ready", "kubelet"), ("spec", "kctl"), ("both", "kubelet"), ("waiting", "kctl")], [[1] * 7] * 3, False, 4096)
@settings(max_examples=200, deadline=None)
def test_owners_are_the_same_with_and_without_memory(
    script: list[tuple[str, str]], pauses: list[list[int]], in_turn: bool, limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeless, "LIMIT", limit)
        patch.setattr(outline, "LIMIT", limit)
        memo = Memo()
        known: dict[tuple[int, bool], Obj] = {}
        turns = [(n, k) for n in range(len(pauses)) for k in range(len(script))]
        for n, k in sorted(turns, key=lambda turn: turn[1]) if in_turn else turns:
            now = float(100 * (0 if in_turn else n) + max(sum(pauses[n][: k + 1]), 0))
            what, who = script[k]
            for is_quick in (False, True):
                old = known.get((n, is_quick))
                new, sub = written(old or NOBODY, n, what)
                if sub != "read":
                    how: Any = {"manager": who, "api_version": "v1", "now": now, "subresource": sub if old else ""}
                    new = managed.updated(old, new, NODE, memo=memo if is_quick else None, **how)
                known[n, is_quick] = new
            assert known[n, True] == known[n, False]


def test_pods_that_live_alike_at_different_times_are_worked_out_once() -> None:
    memo = Memo()
    for n in range(20):
        pod = None
        for k, (what, who) in enumerate(
            [("labels", "kctl"), ("spec", "kctl"), ("running", "kubelet"), ("ready", "kubelet")]
        ):
            new, sub = written(pod or NOBODY, n, what)
            pod = managed.updated(
                pod,
                new,
                NODE,
                memo=memo,
                manager=who,
                api_version="v1",
                now=10.0 * n + k,
                subresource=sub if pod else "",
            )
    assert beside(memo).worked_out == 4


def test_what_one_manager_writes_again_and_again_is_worked_out_once() -> None:
    memo, pod = Memo(), NOBODY
    for n in range(30):
        new = {**pod, "status": {"phase": "Running" if n % 2 else "Pending"}}
        how: Any = {"manager": "kubelet", "api_version": "v1", "now": float(n), "subresource": "status"}
        pod = managed.updated(pod, new, NODE, memo=memo, **how)
    assert beside(memo).worked_out <= 4
