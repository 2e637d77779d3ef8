"""A Secret's values stand in no output, unless asked for."""

from __future__ import annotations

import base64
from typing import Any

import pytest

PLAIN = ("hunter2", "opensesame", "swordfish")
WORDS = (*PLAIN, *(base64.b64encode(word.encode()).decode() for word in PLAIN))
EVERYWHERE = [
    ["get", "secret", "keys", "-n", "shop", "-o", "yaml"],
    ["get", "secrets", "-A", "-o", "json"],
    ["get", "secrets", "-A", "-o", "wide", "--show-labels"],
    ["get", "secret/keys", "-n", "shop", "-o", "yaml", "--show-managed-fields"],
    ["describe", "secret", "keys", "-n", "shop"],
    ["describe", "secret", "keys", "-n", "shop", "-o", "json"],
    ["why", "secret/keys", "-n", "shop"],
    ["why", "secret/keys", "-n", "shop", "-o", "json"],
    ["status", "-o", "yaml"],
    ["events", "-A", "-o", "yaml"],
    ["diff", "-f", "changed.yaml"],
    ["diff", "-f", "changed.yaml", "-o", "json"],
    ["diff", "-f", "changed.yaml", "-o", "yaml"],
    ["apply", "-f", "changed.yaml", "--dry-run"],
    ["apply", "-f", "changed.yaml", "--dry-run", "-o", "json"],
    ["apply", "-f", "changed.yaml"],
    ["apply", "-f", "changed.yaml", "-o", "json"],
    ["apply", "-f", "changed.yaml", "-o", "yaml"],
    ["apply", "-f", "broken.yaml"],
    ["get", "renderedsets", "-o", "yaml"],
    ["get", "renderedsets", "-o", "json", "--show-managed-fields"],
    ["describe", "renderedsets"],
]


@pytest.fixture
def changed(shop: Any) -> Any:
    """The shop, and files that change its Secret, rightly and wrongly."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\nstringData: {password: swordfish}\n"
    shop.write("changed.yaml", text)
    shop.write("broken.yaml", text.replace("password: swordfish", "not a key: swordfish"))
    return shop


@pytest.mark.parametrize("args", EVERYWHERE, ids=" ".join)
def test_no_value_is_shown(changed: Any, args: list[str]) -> None:
    ran = changed(*args, code=None)
    assert ran.out + ran.err != ""
    assert [word for word in WORDS if word in ran.out + ran.err] == []


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["get", "secret", "keys", "-n", "shop", "-o", "yaml"], WORDS[3]),
        (["describe", "secret", "keys", "-n", "shop"], WORDS[3]),
        (["diff", "-f", "changed.yaml"], WORDS[5]),
        (["apply", "-f", "changed.yaml"], WORDS[5]),
    ],
)
def test_show_secrets_shows_them(changed: Any, args: list[str], word: str) -> None:
    assert word in changed(*args, "--show-secrets", code=None).out


def test_that_a_value_changes_is_said(changed: Any) -> None:
    assert "~ data.password: *** (before) -> *** (after)" in changed("apply", "-f", "changed.yaml").out


def test_a_last_applied_annotation_is_masked(shop: Any) -> None:
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    text = 'apiVersion: v1\nkind: Secret\nmetadata: {name: old, annotations: {%s: \'{"data":"hunter2"}\'}}\n'
    shop.write("old.yaml", text % annotation)
    outs = [shop("apply", "-f", "old.yaml", "-o", "json").out, shop("get", "secret", "old", "-o", "yaml").out]
    assert [out for out in outs if "hunter2" in out] == []
