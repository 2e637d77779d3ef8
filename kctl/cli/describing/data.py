"""ConfigMaps, Secrets and ServiceAccounts, in kubectl's order. Of a Secret's values only the size is told."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from kctl.api.objects import Obj
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page


def head(page: Page, obj: Obj) -> None:
    """Add name, namespace, labels and annotations."""
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    layout.metadata(page, obj)


def config_map(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a ConfigMap: its texts as they are, of bytes how many."""
    page = Page()
    head(page, obj)
    _title(page, "Data")
    for key, value in sorted((obj.get("data") or {}).items()):
        for line in (f"{key}:", "----", *value.split("\n"), ""):
            page.line(0, line)
    _title(page, "BinaryData")
    for key, value in sorted((obj.get("binaryData") or {}).items()):
        page.line(0, f"{key}: {_size(value)} bytes")
    page.line(0, "")
    layout.events(page, events, now)
    return page.text()


def secret(obj: Obj, *, with_values: bool = False) -> str:
    """Return the description of a Secret, which kubectl gives no events; its values only where they are wanted."""
    page = Page()
    head(page, obj)
    page.line(0, "")
    page.field(0, "Type", obj.get("type", ""))
    _title(page, "Data")
    for key, value in sorted((obj.get("data") or {}).items()):
        page.field(0, key, value if with_values else f"{_size(value)} bytes")
    return page.text()


def _title(page: Page, text: str) -> None:
    for line in ("", text, "===="):
        page.line(0, line)


def _size(value: str) -> int:
    try:
        return len(base64.b64decode(value))
    except (binascii.Error, ValueError):
        return len(value)


def service_account(obj: Obj, now: float, events: Sequence[Obj], *, secrets: Sequence[Obj]) -> str:
    """Return the description of a ServiceAccount; ``secrets`` are those of its namespace."""
    page = Page()
    head(page, obj)
    there = {found["metadata"]["name"] for found in secrets}
    uid = obj["metadata"].get("uid")
    tokens = [
        found["metadata"]["name"]
        for found in secrets
        if found.get("type") == "kubernetes.io/service-account-token"
        and (found["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.uid") == uid
    ]
    for title, names in (
        ("Image pull secrets", [found["name"] for found in obj.get("imagePullSecrets") or ()]),
        ("Mountable secrets", [found["name"] for found in obj.get("secrets") or ()]),
        ("Tokens", tokens),
    ):
        page.listed(0, title, [name if name in there else f"{name} (not found)" for name in names])
    layout.events(page, events, now)
    return page.text()
