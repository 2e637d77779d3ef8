"""Requests made wrong on purpose: what the API server answers to them, thousands at a time.

In come good requests (those recorded from a real control plane where they are beside the checkout,
else objects of the samples) and a seed; out come the answers that no API server may give: a crash,
an error of the server's own, something else than a Status, a refusal that wrote.

``python -m tests.apiserver.mutations [--long] [--seed N]`` prints them with the slowest requests.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml

from kctl.api.registry import builtin
from kctl.plane.plane import ControlPlane

SHORT, LONG = 1_500, 100_000
PER_PLANE = 100
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SETS = ("validation", "patch", "apply", "protocol", "defaulting", "rbac", "crd", "admission", "table")
VALUES: Sequence[Any] = (
    *("", "a", "A_b", "a/b", "../a", "-", "é", "\u202e", "\0", "\ud800", "a" * 300, "1", "-1", "1.5Gi", "1e999", "0x1"),
    *(0, 1, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**30, True, False, None),
    *([], {}, [None], [[]], {"": ""}, {"a": 1}, [{}], ["a", "a"], "(" * 300, "a+" * 200 + "$", "10.0.0.0/33", "1h"),
    *("150%", "* * * * *", "system:admin", "2026-13-01T00:00:00Z", "{{.}}", "$(A)", "self.x == 1", "Always"),
)
SEGMENTS = (
    "",
    ".",
    "..",
    "a%2fb",
    "%",
    "%00",
    "%ff",
    "a b",
    "é",
    "status",
    "scale",
    "exec",
    "x" * 300,
    "pods",
    "watch",
)
OPTIONS = (
    *("dryRun=All", "dryRun=x", "fieldManager=" + "m" * 129, "fieldManager=%00", "fieldValidation=Strict", "limit=x"),
    *("limit=-1", "limit=99999999999999999999", "resourceVersion=x", "resourceVersion=9999999999999999999999", "a=%zz"),
    *(
        "resourceVersionMatch=x",
        "continue=x",
        "labelSelector=((",
        "labelSelector=a in (",
        "fieldSelector=x=y",
        "watch=1",
    ),
    *("gracePeriodSeconds=x", "propagationPolicy=x", "sendInitialEvents=true", "timeoutSeconds=1e9", "force=x", ";;"),
)
MEDIA = (
    *("application/json", "application/yaml", "text/plain", "", "application/vnd.kubernetes.protobuf", "application/"),
    *("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"),
    *("application/apply-patch+yaml", "application/apply-patch+cbor", "a;b;c", "*/*;as=Table;v=v1;g=meta.k8s.io"),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW")
OWN_WORDS = (
    "failed to create typed patch object",
    "strconv.ParseUint",
    "resourceVersion: Invalid value",
    "unknown patch type",
    "unable to find api field",
    "does not contain declared merge key",
    "list element types are not identical",
    "no elements in any of the given slices",
    "expected a []interface {}, but received a ",
    "expected a map[string]interface {}, but received a ",
    "doesn't match $setElementOrder list",
    "resourceVersion should not be set on objects to be created",
    "target.kind: Unsupported value",
    "target.name: Required value",
)
"""How messages begin or go on that a real API server, too, sends with the code 500."""
CRASH = re.compile(r"Internal error occurred: \w+: ")


class Sent(NamedTuple):
    """A request, with what its case needs to be there before."""

    method: str
    path: str
    body: Any = None
    media: str = "application/json"
    text: str | bytes | None = None
    before: tuple[Sent, ...] = ()


class Wrong(NamedTuple):
    """An answer that should not have been given."""

    why: str
    request: Sent


def samples() -> list[Sent]:
    """Return requests that create the objects of the samples."""
    found = []
    for file in sorted(SAMPLES.rglob("*.yaml")):
        try:
            documents = [each for each in yaml.safe_load_all(file.read_text()) if isinstance(each, dict)]
        except yaml.YAMLError:
            continue
        for obj in documents:
            kind = builtin().by_kind(str(obj.get("apiVersion")), str(obj.get("kind")))
            if kind is not None and isinstance(obj.get("metadata"), dict):
                where = "/namespaces/default" if kind.namespaced else ""
                group = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
                found.append(Sent("POST", f"{group}{where}/{kind.plural}", obj))
    return found


def recorded(folder: Path) -> list[Sent]:
    """Return the recorded requests; those that need answers of earlier ones are left out."""
    from tests.oracle import api

    def plain(request: Any) -> Sent:
        media = request.get("contentType") or "application/json"
        return Sent(request["method"], request["path"], request.get("body"), media, request.get("bodyText"))

    found = []
    for name in SETS:
        for case in api.cases(folder, name):
            before = [plain(each) for each in case.get("setup", ()) if "method" in each]
            for step in case["steps"]:
                if "method" not in step.get("request", {}):
                    break
                found.append(plain(step["request"])._replace(before=tuple(before)))
                before.append(found[-1]._replace(before=()))
    return [each for each in found if "${" not in json.dumps([each.path, each.body, each.text])]


def mutated(request: Sent, chance: random.Random) -> Sent:
    """Return the request with one thing, sometimes two, made wrong."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        what = chance.choices(("value", "text", "path", "query", "media", "method"), (60, 12, 8, 10, 5, 5))[0]
        if what == "value" and request.body not in (None, [], {}) and request.text is None:
            request = request._replace(body=_put(request.body, chance.choice(list(_places(request.body))), chance))
        elif what == "text":
            request = request._replace(text=_spoilt(request, chance))
        elif what == "path":
            parts = request.path.split("/")
            parts[chance.randrange(1, len(parts))] = chance.choice(SEGMENTS)
            request = request._replace(path="/".join(parts))
        elif what == "query":
            mark = "&" if "?" in request.path else "?"
            request = request._replace(path=request.path + mark + chance.choice(OPTIONS))
        elif what == "media":
            request = request._replace(media=chance.choice(MEDIA))
        elif what == "method":
            request = request._replace(method=chance.choice(METHODS))
    return request


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values in a value."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield from _places(child, (*at, step))


def _put(value: Any, at: tuple[Any, ...], chance: random.Random) -> Any:
    """Return the value with something else, nothing or something unknown at a place."""
    if not at:
        return {**value, "unknown": 1} if isinstance(value, dict) and chance.random() < 0.2 else chance.choice(VALUES)
    if len(at) == 1 and chance.random() < 0.2:
        if isinstance(value, dict):
            return {name: child for name, child in value.items() if name != at[0]}
        return [*value, *value]
    if isinstance(value, dict):
        return {**value, at[0]: _put(value[at[0]], at[1:], chance)}
    return [_put(child, at[1:], chance) if n == at[0] else child for n, child in enumerate(value)]


def _spoilt(request: Sent, chance: random.Random) -> bytes:
    """Return the body as text that was cut, bent, repeated or nested."""
    text = request.text if request.text is not None else json.dumps(request.body)
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    place = chance.randrange(len(raw) + 1)
    return chance.choice(
        (
            raw[:place],
            raw[:place] + bytes([chance.randrange(256)]) + raw[place + 1 :],
            raw[:place] + raw[max(0, place - 40) :],
            raw[:place] + b"[" * 20_000 + raw[place:],
            raw[:place] + b'{"a":' * 3_000 + raw[place:],
            raw.replace(b"{", b'{"metadata":{},', 1),
            raw.replace(b'"', b"'"),
            raw.replace(b":", b": &a !!binary ", 1),
            b"\xef\xbb\xbf" + raw,
            raw.replace(b"1", b"9" * 500),
        )
    )


def send(plane: ControlPlane, request: Sent) -> Any:
    """Send a request; addresses are escaped as clients do, unless they hold an escape already."""
    path = request.path if "%" in request.path else quote(request.path, safe="/?&=;:,()!@$'*+~")
    text = json.dumps(request.body) if request.text is None and request.body is not None else request.text
    return plane.request(request.method, path, text, request.media, [("Accept", "application/json")])


def judge(plane: ControlPlane, request: Sent) -> str:
    """Send a request and say what is wrong with the answer; "" when nothing is."""
    before = plane.server.revision
    answer = send(plane, request)
    if answer.status < 400:
        answer.close()
        return ""
    if plane.server.revision != before:
        return f"refused with {answer.status}, yet written"
    if request.method == "HEAD" or answer.header("Content-Type").startswith("text/plain"):
        return "" if answer.status in (400, 404, 405) else f"{answer.status} {answer.body[:100]!r}"
    status = answer.json()
    if status.get("kind") != "Status" or status.get("code") != answer.status:
        return f"{answer.status} without a Status"
    message = status.get("message", "")
    if CRASH.match(message) or (answer.status == 500 and not any(words in message for words in OWN_WORDS)):
        return f"{answer.status} {message[:60]} … {message[-60:]}"
    return ""


def search(requests: Sequence[Sent], seed: int, count: int) -> tuple[list[Wrong], list[tuple[float, Sent]]]:
    """Send mutations of the requests; return the wrong answers and the slowest requests."""
    chance = random.Random(seed)
    wrong: list[Wrong] = []
    slowest: list[tuple[float, Sent]] = []
    for sent in range(0, count, PER_PLANE):
        with ControlPlane.open(None, controllers=[]) as plane:
            base = chance.choice(requests)
            for n in range(min(PER_PLANE, count - sent)):
                if n % 20 == 0:
                    base = chance.choice(requests)
                    for needed in base.before:
                        send(plane, needed)
                request = mutated(base, chance)
                began = time.process_time()
                why = judge(plane, request)
                slowest = sorted([*slowest, (time.process_time() - began, request)], key=lambda each: -each[0])[:5]
                if why:
                    wrong.append(Wrong(why, request))
    return wrong, slowest


def main() -> int:
    """Search, and print what was found; 1 when anything was."""
    from tests.oracle import FOLDER

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--long", action="store_true", help=f"{LONG} requests, not {SHORT}")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    requests = recorded(FOLDER) if (FOLDER / "api").is_dir() else samples()
    count = LONG if given.long else SHORT
    wrong, slowest = search(requests, given.seed, count)
    for why in dict.fromkeys(each.why for each in wrong):
        example = next(each.request for each in wrong if each.why == why)
        print(why, "\n   ", str(example._replace(before=()))[:400])
    print(f"{count} requests, {len(wrong)} wrong answers; the slowest:")
    for seconds, request in slowest:
        print(f"  {seconds * 1000:.0f} ms {request.method} {request.path[:80]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
