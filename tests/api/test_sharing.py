"""What of a new state is looked at again: what it does not share with the state before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import validation
from kctl.api.defaults import wire
from kctl.api.objects import Obj
from kctl.api.registry import builtin
from kctl.api.sharing import LONG, unshared
from kctl.api.structural import decode

ENDPOINTS = builtin().storage("endpoints")


def address(n: int) -> Obj:
    return {"ip": f"10.0.0.{n}", "targetRef": {"kind": "Pod", "name": f"p{n}", "uid": f"u{n}"}}


def endpoints(addresses: list[Obj]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "e", "namespace": "default", "uid": "1", "resourceVersion": "1"},
        "subsets": [{"addresses": addresses}],
    }


KNOWN = [address(n) for n in range(1, LONG + 4)]
OLD = endpoints(KNOWN)


def test_only_the_item_that_is_new_is_left_of_a_long_list() -> None:
    new = address(99)
    assert unshared(endpoints([*KNOWN, new]), OLD)["subsets"] == [{"addresses": [new]}]


def test_an_equal_item_that_is_another_object_is_left() -> None:
    assert unshared(endpoints([*KNOWN[1:], address(1)]), OLD)["subsets"] == [{"addresses": [address(1)]}]


def test_a_short_list_and_the_status_stay_whole() -> None:
    few = {"items": KNOWN[:2], "status": {"x": KNOWN}}
    assert unshared(few, few) is few


@pytest.mark.parametrize(
    ("wrong", "decodes", "complaints"),
    [({"ip": 5}, False, 0), ({"ip": "x"}, True, 2), ({"ip": "10.0.0.1", "hostname": "A_"}, True, 1)],
)
def test_what_is_wrong_with_one_new_address_among_many_is_said(wrong: Obj, decodes: bool, complaints: int) -> None:
    new = endpoints([*KNOWN, wrong])
    assert decode(ENDPOINTS, new, known=OLD).errors == decode(ENDPOINTS, new).errors
    assert (not decode(ENDPOINTS, new).errors) == decodes
    if decodes:
        found = validation.update(ENDPOINTS, new, OLD)
        assert found == validation.update(ENDPOINTS, new, endpoints([address(1)]))
        assert len(found) == complaints


def test_what_go_would_not_write_is_dropped_from_the_one_new_address() -> None:
    new = endpoints([*KNOWN, {"ip": "10.0.0.77", "hostname": ""}])
    assert wire.canonical(ENDPOINTS, new, before=OLD) == wire.canonical(ENDPOINTS, new)
    assert wire.canonical(ENDPOINTS, new, before=OLD)["subsets"][0]["addresses"][-1] == {"ip": "10.0.0.77"}


@given(st.lists(st.integers(0, 25), min_size=LONG, max_size=30), st.lists(st.integers(0, 40), max_size=30))
@settings(max_examples=150, deadline=None)
def test_what_is_left_of_a_long_list_is_all_that_the_old_one_has_not(numbers: list[int], before: list[int]) -> None:
    every = [address(n) for n in range(41)]
    new, old = [every[n] for n in sorted(set(numbers) | set(range(LONG)))], [every[n] for n in dict.fromkeys(before)]
    left = unshared({"items": new}, {"items": old}).get("items", [])
    assert left == [one for one in new if all(one is not other for other in old)]
