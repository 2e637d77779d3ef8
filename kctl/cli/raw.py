"""``kctl get --raw PATH``: what the API server answers to a GET, as it is, but for the values of Secrets."""

from __future__ import annotations

import json
from typing import Any

from kctl.api.errors import KctlError, StatusError
from kctl.api.objects import Obj
from kctl.plane.plane import ControlPlane


def get(plane: ControlPlane, path: str, *, secrets: bool) -> str:
    """Return the body of the answer; StatusError when the server refuses."""
    if not path.startswith("/"):
        raise KctlError(f"{path}: --raw takes a path of the API server: /api/v1/nodes")
    answer = plane.server.http("GET", path, headers={"Accept": "application/json"})
    text = answer.body.decode()
    try:
        body = json.loads(text)
    except ValueError:
        return text
    if answer.status >= 400:
        raise StatusError(answer.status, body.get("reason", ""), body.get("message", text))
    return text if secrets else masked(body, text)


def masked(body: Any, text: str) -> str:
    """Return the answer, written anew when it holds Secrets."""
    from kctl.cli.output import without_secrets

    if not isinstance(body, dict):
        return text
    if body.get("kind") == "SecretList":
        head = {"apiVersion": "v1", "kind": "Secret"}
        items = [_bare(without_secrets({**head, **item})) for item in body.get("items") or ()]
        return json.dumps({**body, "items": items}, separators=(",", ":"), ensure_ascii=False)
    shown = without_secrets(body) if isinstance(body.get("metadata"), dict) else body
    return text if shown is body else json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


def _bare(item: Obj) -> Obj:
    return {k: v for k, v in item.items() if k not in ("apiVersion", "kind")}
