"""Objects and documents as JSON or YAML, with what is secret masked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from kctl.api.objects import LAST_APPLIED, Obj, evolve

BROKEN_PIPE = 141  # as a shell says of a program that SIGPIPE ended
MASK = "***"


def document(value: Any, form: str) -> str:
    """Return a document as ``json`` or ``yaml``."""
    if form == "json":
        return json.dumps(value, indent=4, ensure_ascii=False) + "\n"
    from kctl.gitops.yaml import dump

    return dump(value)


def listing(items: Sequence[Obj], form: str, *, single: bool) -> str:
    """Return objects as kubectl does: one alone, several in a List."""
    if single and len(items) == 1:
        return document(items[0], form)
    return document(list_of(items), form)


def list_of(items: Sequence[Obj]) -> Obj:
    """Return a List of objects, as kubectl makes one of several."""
    return {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}


def presentable(obj: Obj, *, managed_fields: bool = False, secrets: bool = False) -> Obj:
    """Return the object without managedFields, a Secret's values masked, unless asked otherwise."""
    meta = obj["metadata"]
    if not managed_fields and "managedFields" in meta:
        obj = {**obj, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}
    if not secrets:
        obj = without_secrets(obj)
    return obj


def without_secrets(obj: Obj) -> Obj:
    """Return the object with the values masked of the Secret that it is, or of those that it holds."""
    if obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1":
        return masked(obj)
    if obj.get("kind") == "RenderedSet" and obj.get("apiVersion") == "kctl.dev/v1":
        items = [{**item, "object": without_secrets(item["object"])} for item in obj["spec"]["objects"]]
        return {**obj, "spec": {**obj["spec"], "objects": items}}
    return obj


def masked(secret: Obj) -> Obj:
    """Return the Secret with every value of data and stringData masked."""
    changes: Obj = {field: dict.fromkeys(secret[field], MASK) for field in ("data", "stringData") if secret.get(field)}
    if LAST_APPLIED in (secret["metadata"].get("annotations") or {}):
        changes["metadata"] = {"annotations": {LAST_APPLIED: MASK}}
    return evolve(secret, changes)


def warn(warnings: Iterable[str]) -> None:
    """Say on standard error what the API server remarked."""
    import sys

    for text in warnings:
        print(f"Warning: {text}", file=sys.stderr)


def write(text: str) -> None:
    """Write to standard output; end quietly when nobody reads it any more."""
    import sys

    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
        raise click.exceptions.Exit(BROKEN_PIPE) from None
