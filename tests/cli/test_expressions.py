"""``get -o jsonpath=`` and ``-o custom-columns=``."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.errors import UsageError
from kctl.cli import expressions

LIST: Any = {
    "items": [
        {"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"replicas": 2, "paused": True}},
        {"metadata": {"name": "b"}, "spec": {"replicas": 10, "args": ["p", "q"]}},
    ]
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.items[*].metadata.name}", "a b"),
        (".items[0].metadata.name", "a"),
        ("{.items[0].metadata.labels}", '{"x":"1"}'),
        ("{.items[0].spec.paused}", "true"),
        ("{.nothing}", ""),
        ("names: {.items[*].metadata.name}!", "names: a b!"),
        (r'{range .items[*]}{.metadata.name}{"\t"}{.spec.replicas}{"\n"}{end}', "a\t2\nb\t10\n"),
        ("{range .items[*]}[{range .spec.args[*]}<{@}>{end}]{end}", "[][<p><q>]"),
        ("{.items[?(@.spec.replicas>5)].metadata.name}", "b"),
        ("{'}'}{\"'\"}", "}'"),
    ],
)
def test_a_template_writes(template: str, text: str) -> None:
    assert expressions.template(template)(LIST) == text


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "no template given"),
        ("{.items", "unclosed action"),
        ("{range .items[*]}x", "unclosed range"),
        ("x{end}", "nothing to end"),
        ("{.items[}", "unterminated array"),
    ],
)
def test_a_template_that_cannot_be_read_is_an_error(template: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        expressions.template(template)


def test_columns_of_ones_own_stand_below_each_other() -> None:
    write = expressions.columns("N:.metadata.name,LABELS:.metadata.labels,ARGS:.spec.args[*],REPLICAS:.spec.replicas")
    assert write(LIST["items"], True) == (
        "N     LABELS     ARGS     REPLICAS\na     map[x:1]   <none>   2\nb     <none>     p,q      10\n"
    )
    assert write([], True) == "N     LABELS   ARGS   REPLICAS\n"
    assert write([], False) == ""


@pytest.mark.parametrize(("spec", "why"), [("", "no custom columns given"), ("NAME", "unexpected custom-columns spec")])
def test_columns_that_cannot_be_read_are_an_error(spec: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        expressions.columns(spec)


def test_get_writes_through_expressions_and_masks_secrets(shop: Any) -> None:
    of = ("-n", "shop", "-o")
    assert shop("get", "deploy", "web", *of, "jsonpath={.spec.replicas}").out == "2"
    assert shop("get", "deploy,svc", *of, "jsonpath={.items[*].kind}").out == "Deployment Service"
    assert shop("get", "svc", *of, "custom-columns=NAME:.metadata.name", "--no-headers").out == "web\n"
    assert shop("get", "cm", "-n", "none", "-o", "jsonpath={.items}").out == "[]"
    assert shop("get", "secret", "keys", *of, "jsonpath={.data.token}").out == "***"
    assert shop("get", "secret", "keys", *of, "jsonpath={.data.token}", "--show-secrets").out == "b3BlbnNlc2FtZQ=="
    assert "is not one of" in shop("get", "svc", *of, "nope=x", code=2).err
    assert "cannot go together" in shop("get", "svc", *of, "jsonpath={.a}", "-w", code=2).err


def test_containers_of_a_template_are_described_where_kubectl_puts_them(shop: Any) -> None:
    out = shop("describe", "deploy", "web", "-n", "shop").out
    assert "  Containers:\n   web:\n    Image:" in out
    assert "  Volumes:\n   cache:\n    Type:" in out
    pod = shop("get", "pods", "-n", "shop", "-o", "name").out.splitlines()[0]
    out = shop("describe", pod, "-n", "shop").out
    assert "Containers:\n  web:\n    Container ID:" in out
    assert "Volumes:\n  cache:\n    Type:" in out
