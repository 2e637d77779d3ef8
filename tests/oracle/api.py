"""The sets of the API server: every case is a list of requests and the answers they got.

Each case has a control plane of its own, without controllers, asked through the Python door.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kctl.apiserver.request import User
from tests.oracle import Result
from tests.oracle.matching import Matcher, status_difference

NAMES = ("defaulting", "validation", "patch", "apply", "crd", "table", "discovery", "protocol", "admission", "rbac")
GROUPS = {
    "jane": {"uid": "u1", "groups": ["devs"]},
    "bob": {"uid": "u2", "groups": ["devs", "ops"]},
    "eve": {"uid": "u3", "groups": ["nobody"]},
    "nsadmin": {"uid": "u4", "groups": ["admins"]},
    "imp": {"uid": "u5", "groups": ["impgrp"]},
    "viewer": {"uid": "u6", "groups": ["viewers"]},
}
TOKENS = {
    "t-jane": "jane",
    "t-bob": "bob",
    "t-eve": "eve",
    "t-adm": "nsadmin",
    "t-imp": "imp",
    "t-view": "viewer",
}
"""The file of --token-auth-file."""
ADMIN = {"username": "admin", "uid": "admin", "groups": ["system:masters"]}
"""Who sends a request that does not say so."""
REFERENCE = re.compile(r"\$\{(s?\d+):([^}]+)\}")
Json = Any


def cases(folder: Path, name: str) -> Iterator[Json]:
    """Yield the cases of a set."""
    with gzip.open(folder / "api" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def results(name: str, every: int = 1) -> Callable[[Path], Iterable[Result]]:
    """Return the function that runs a set, or every so manieth case of it."""

    def run(folder: Path) -> Iterator[Result]:
        for n, case in enumerate(cases(folder, name)):
            if n % every == 0:
                why = difference(name, case)
                yield Result(case["id"], not why, why)

    return run


def difference(name: str, case: Json) -> str:
    """Run one case; return "" or what differed first. A crash of kctl is a difference."""
    from kctl import ControlPlane

    try:
        authorization = "RBAC" if name == "rbac" else "AlwaysAllow"
        with ControlPlane.open(None, controllers=[], authorization=authorization) as plane:
            return Replay(plane).case(name, case)
    except Exception as error:  # any crash fails the case, and the run goes on
        return f"{type(error).__name__}: {error}"


class Replay:
    """Sends the requests of one case and compares the answers."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane
        self.matcher = Matcher()
        self.answers: dict[str, Json] = {}

    def case(self, name: str, case: Json) -> str:
        """Carry a case out; return "" or the first difference."""
        self._prepare(name)
        for n, request in enumerate(case.get("setup", ())):
            response = self.send(request)
            self.answers[f"s{n}"] = _json(response)
            if response.status >= 300 and not request.get("mayFail"):
                return f"setup {n}: {response.status} {response.body[:200]!r}"
        if name == "admission":  # its recorder waited for caches; managedFields are sorted by the second
            self.plane.clock.set(self.plane.clock.now() + 1)
        n = 0
        for step in case["steps"]:
            for exchange in step.get("exchanges", [step]):
                why = self.step(str(n), exchange)
                if why:
                    return f"step {n}: {why}"
                n += 1
        return ""

    def _prepare(self, name: str) -> None:
        """Make what every recording began with."""
        self.plane.server.static_tokens = {
            token: User(user, **{k: tuple(v) if isinstance(v, list) else v for k, v in GROUPS[user].items()})
            for token, user in TOKENS.items()
        }
        for namespace in ("default", "kube-system"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
            self.send({"method": "POST", "path": path, "body": account})
        if name == "defaulting":
            body = {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": "rc1"},
                "handler": "runc",
            }
            self.send({"method": "POST", "path": "/apis/node.k8s.io/v1/runtimeclasses", "body": body})

    def send(self, request: Json) -> Any:
        """Send a request as the recording client did."""
        headers: list[tuple[str, str]] = [
            ("User-Agent", "oracle"),
            ("Accept", request.get("accept", "application/json")),
        ]
        for key, value in (request.get("headers") or {}).items():
            headers += [(key, each) for each in (value if isinstance(value, list) else [value])]
        body: Any = request.get("bodyText")
        if "body" in request:
            body = json.dumps(self.filled(request["body"]))
        user = self.user(request, headers)
        content_type = request.get("contentType", "application/json") if body is not None else None
        return self.plane.request(
            request["method"],
            self.filled(request["path"]),
            body=body,
            content_type=content_type,
            headers=headers,
            user=user,
        )

    def user(self, request: Json, headers: list[tuple[str, str]]) -> Any:
        """Return who sends the request: admin, nobody, or one of the users of the set rbac."""
        name = request.get("as")
        if name is None:
            return ADMIN
        if not name:
            return name
        if name in GROUPS:
            return {"username": name, **GROUPS[name]}
        headers.append(("Authorization", f"Bearer {self.filled(name)}"))
        return ""

    def filled(self, value: Json) -> Json:
        """Replace references to earlier raw answers."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self._referred(whole)
        return REFERENCE.sub(lambda found: str(self._referred(found)), value)

    def _referred(self, found: re.Match[str]) -> Json:
        """Return the field of an earlier answer."""
        value: Json = self.answers.get(found[1])
        for part in found[2].split("."):
            if isinstance(value, list):
                value = value[int(part)]
            else:
                value = (value or {}).get(part)
        return value

    def step(self, name: str, exchange: Json) -> str:
        """Send one request and compare the whole answer."""
        request, want = exchange["request"], exchange["response"]
        if request.get("control") == "compact":
            self.plane.compact()
            return ""
        response = self.send(request)
        if not request.get("watch"):
            self.answers[name] = _json(response)
        if response.status != want["code"]:
            return f"code {response.status}, want {want['code']}: {response.body[:300]!r}"
        if request.get("recordOnlyCode"):
            return ""
        return self._headers(want, response) or self._body(want, response)

    def _headers(self, want: Json, response: Any) -> str:
        """Compare warnings, and the headers that were recorded."""
        warnings = [value for key, value in response.headers if key.lower() == "warning"]
        why = self.matcher.difference(want.get("warnings", []), warnings, "warnings")
        for key, value in (want.get("headers") or {}).items():
            found = [given for name, given in response.headers if name.lower() == key.lower()]
            why = why or self.matcher.difference(
                value, found if isinstance(value, list) else ", ".join(found) if found else None, f"header {key}"
            )
        return why

    def _body(self, want: Json, response: Any) -> str:
        """Compare the body, or the events of a watch."""
        if "events" in want:
            return self.matcher.difference(want["events"], list(response.events()), "events")
        if "body" in want:
            return status_difference(self.matcher, want["body"], _json(response))
        if want.get("bodyText") == "<binary>":
            return ""
        if "bodyText" in want:
            return self.matcher.difference(want["bodyText"], response.body.decode(), "bodyText")
        return ""


def _json(response: Any) -> Json:
    """Return the body read as JSON, None when it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


SETS = {name: results(name) for name in NAMES}
