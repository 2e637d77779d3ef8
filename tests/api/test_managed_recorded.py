"""Ownership as a running kube-apiserver recorded it, request by request."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kctl.api import registry, schema
from kctl.api.errors import StatusError
from kctl.api.patch import managed

CASES = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "api" / "apply.jsonl.gz"
OTHER_SERVER_PARTS = {
    "apply-5f583939",  # a controller inside the recorded server writes in between
    "apply-b97be63f",  # deletes between the steps
    "apply-f36e4222",  # the same object in two versions
}


def cases() -> list[Any]:
    if not CASES.exists():
        return []
    lines = gzip.decompress(CASES.read_bytes()).splitlines()
    found = [json.loads(line) for line in lines]
    return [c for c in found if c["id"] not in OTHER_SERVER_PARTS and not c["id"].startswith("apply-kubectl-")]


def parsed(path: str) -> tuple[Any, str, str, dict[str, str]]:
    """Return kind, name, subresource and query of a request."""
    where, _, query = path.partition("?")
    parts = where.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    kind = registry.builtin().by_path(group, version, rest[0])
    name, sub = [*rest[1:], "", ""][:2]
    return kind, name, sub, dict(pair.split("=", 1) for pair in query.split("&") if pair)


def shown(obj: dict[str, Any]) -> list[Any]:
    return [{**entry, "time": bool(entry.get("time"))} for entry in obj["metadata"].get("managedFields") or ()]


@pytest.mark.skipif(not CASES.exists(), reason="the recorded answers are not beside the checkout")
def test_every_recorded_apply_and_update_gives_the_recorded_owners_or_conflict() -> None:
    counted = 0
    for case in cases():
        live: dict[tuple[str, str], Any] = {}
        for step in case["steps"]:
            counted += replay(case["id"], step["request"], step["response"], live)
    assert counted > 700


def replay(case: str, request: Any, response: Any, live: dict[tuple[str, str], Any]) -> int:
    """Compare one answer; return how many comparisons were made."""
    kind, name, sub, query = parsed(request["path"])
    want = response.get("body")
    if kind is None or sub not in ("", "status") or not isinstance(want, dict):
        return 0
    name = name or want.get("metadata", {}).get("name", "")
    key, made = (kind.resource, name), 0
    old = live.get(key)
    body = request.get("body")
    applied = "apply" in request.get("contentType", "")
    kwargs = {"manager": query.get("fieldManager", "oracle"), "api_version": kind.api_version, "now": 1.8e9}
    if applied and isinstance(body, dict) and response["code"] in (200, 201, 409, 500):
        force = query.get("force") == "true"
        if response["code"] >= 400:
            with pytest.raises(StatusError) as caught:
                managed.apply(old, body, schema.of(kind), force=force, subresource=sub, **kwargs)
            assert (caught.value.code, caught.value.message) == (response["code"], want["message"]), case
            return 1
        got = managed.apply(old, body, schema.of(kind), force=force, subresource=sub, **kwargs)
        assert shown(got) == shown(want), case
        made = 1
    elif request["method"] in ("POST", "PUT", "PATCH") and response["code"] < 300 and not applied:
        fresh = {name: value for name, value in want["metadata"].items() if name != "managedFields"}
        if "managedFields" not in json.dumps(body) and (old is not None or request["method"] == "POST"):
            new = {**want, "metadata": fresh}
            got = managed.updated(old, new, schema.of(kind), subresource=sub, **kwargs)
            assert shown(got) == shown(want), case
            made = 1
    if request["method"] == "DELETE":
        live.pop(key, None)
    elif response["code"] < 300 and want.get("kind") == kind.kind and "dryRun" not in query:
        live[key] = json.loads(json.dumps(want).replace('"<time>"', '"2027-01-15T08:00:00Z"'))
    return made
