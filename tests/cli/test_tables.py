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


def test_wide_listings_alone_show_what_has_priority() -> None:
    printer = printers.of("rolebindings.rbac.authorization.k8s.io")
    items = [named("a", roleRef={"kind": "Role", "name": "r"}, subjects=[{"kind": "User", "name": "u"}])]
    assert tables.objects(printer, items, EPOCH).split() == ["NAME", "ROLE", "AGE", "a", "Role/r", "0s"]
    assert tables.objects(printer, items, EPOCH, wide=True).split()[-1] == "u"


def test_flow_schemas_are_listed_in_the_order_they_are_tried() -> None:
    items = [named("late", spec={"matchingPrecedence": 9}), named("early", spec={"matchingPrecedence": 1})]
    text = tables.objects(printers.of("flowschemas.flowcontrol.apiserver.k8s.io"), items, EPOCH, show_headers=False)
    assert [line.split()[0] for line in text.splitlines()] == ["early", "late"]
