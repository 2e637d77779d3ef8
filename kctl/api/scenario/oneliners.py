"""``--what-if`` in one line, as the fields of a Scenario manifest.

    node:n2=die@30s          node:n*=drain@1m        zone:b=die@1m+10m (for ten minutes)
    image:app:v2=fail        image:app:v2=20s        cloud:ensure_lb=QuotaExceeded
    scale:deploy/web=40      delete:pod/web-0@10s    restart:deploy/web@10s
    load:web=5000@3m         ready:deploy/web=never  crash:deploy/web=137@3s (after 3 s, always)
    run:job/migrate=40s      exit:job/migrate=1      start:apply

In: a text. Out: the fields it stands for; OneLinerError with what is wrong. An instant counts from when the
cluster has converged on what was asked, with ``start:apply`` from the beginning. Whether the fields are right is for :mod:`kctl.api.scenario.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kctl.api.objects import Obj
from kctl.api.scenario.happenings import target_of
from kctl.api.scenario.matching import kind_of
from kctl.api.scenario.model import API_VERSION, KIND

LISTS = ("images", "workloads", "events", "expect")


class OneLinerError(ValueError):
    """A text that is no what-if."""


def fields_of(text: str) -> dict[str, Any]:
    """Return the fields of a manifest that the text adds to."""
    head, colon, rest = text.strip().partition(":")
    read = HEADS.get(head)
    if read is None or not colon or not rest:
        raise OneLinerError(f"must begin with one of {', '.join(f'{name}:' for name in HEADS)}")
    return read(rest)


def manifest_of(texts: Iterable[str], expect: Iterable[str] = (), base: Obj | None = None) -> Obj:
    """Return a Scenario manifest with everything that some what-ifs say, behind what ``base`` says."""
    manifest: dict[str, Any] = dict(base or {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "what-if"}})
    for text in texts:
        for name, items in fields_of(text).items():
            manifest[name] = [*(manifest.get(name) or []), *items] if name in LISTS else items
    if expectations := list(expect):
        manifest["expect"] = [*(manifest.get("expect") or []), *expectations]
    return manifest


def _when(text: str) -> tuple[str, Obj]:
    """Split ``die@1m+10m`` into what and when."""
    what, at, when = text.rpartition("@")
    if not at:
        return text, {"at": "0s"}
    begin, plus, lasts = when.partition("+")
    return what, {"at": begin, **({"for": lasts} if plus else {})}


def _assigned(text: str, example: str) -> tuple[str, str]:
    """Split at the last ``=``."""
    subject, equals, value = text.rpartition("=")
    if not equals or not subject or not value:
        raise OneLinerError(f"want it as {example}")
    return subject, value


def _node(scope: str) -> Callable[[str], dict[str, list[Any]]]:
    def read(text: str) -> dict[str, list[Any]]:
        subject, equals, value = text.partition("=")
        if not (subject and equals and value):
            raise OneLinerError(f"want it as {scope}:NAME=die@30s")
        verb, when = _when(value)
        return {"events": [{**when, scope: subject, "do": " ".join(verb.replace(":", " ").split())}]}

    return read


def _image(text: str) -> dict[str, list[Any]]:
    image, value = _assigned(text, "image:app:v2=fail")
    return {"images": [{"match": image, "pull": value}]}


def _scale(text: str) -> dict[str, list[Any]]:
    target, value = _assigned(text, "scale:deploy/web=40")
    number, when = _when(value)
    return {"events": [{**when, "do": f"scale {target} {number}"}]}


def _verb(verb: str) -> Callable[[str], dict[str, list[Any]]]:
    def read(text: str) -> dict[str, list[Any]]:
        target, when = _when(text)
        return {"events": [{**when, "do": f"{verb} {target}"}]}

    return read


def _load(text: str) -> dict[str, list[Any]]:
    subject, value = _assigned(text, "load:SERVICE=5000@3m")
    number, when = _when(value)
    try:
        rps = float(number)
    except ValueError:
        raise OneLinerError(f"{number!r} is no number of requests a second") from None
    target = target_of(subject)
    load: Obj = {"service": subject, "rps": rps}
    if target is not None and kind_of(target.kind) in ("service", "svc", "services"):
        load = {"service": target.name, "namespace": target.namespace, "rps": rps}
    elif target is not None:
        load = {"workload": subject, "rps": rps}
    return {"events": [{**when, "load": load}]}


def _cloud(text: str) -> dict[str, list[Any]]:
    op, value = _assigned(text, "cloud:ensure_lb=QuotaExceeded")
    error, when = _when(value)
    return {"events": [{**when, "cloud": {"op": op, "error": error}}]}


def _of_workload(field: str) -> Callable[[str], dict[str, list[Any]]]:
    def read(text: str) -> dict[str, list[Any]]:
        subject, value = _assigned(text, f"{field}:deploy/web={EXAMPLES[field]}")
        target = target_of(subject)
        if target is None:
            raise OneLinerError(f"{subject!r} must be an object, as deploy/web")
        match: Obj = {"kind": target.kind, "name": target.name}
        if target.namespace:
            match["namespace"] = target.namespace
        return {"workloads": [{"match": match, **_property(field, value)}]}

    return read


def _property(field: str, value: str) -> Mapping[str, Any]:
    if field == "run":
        return {"run": value}
    if field == "ready":
        return {"ready": "never" if value == "never" else {"after": value}}
    code, _, after = value.partition("@")
    if not (code.isascii() and code.isdecimal()):
        raise OneLinerError(f"{code!r} is no exit code")
    if field == "exit":
        return {"exitCode": int(code)}
    return {"crash": {"exitCode": int(code), **({"after": after} if after else {})}}


EXAMPLES = {"ready": "12s", "crash": "1", "run": "40s", "exit": "1"}
HEADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "start": lambda text: {"start": text},
    "node": _node("node"),
    "zone": _node("zone"),
    "image": _image,
    "scale": _scale,
    "delete": _verb("delete"),
    "restart": _verb("restart"),
    "load": _load,
    "cloud": _cloud,
    **{field: _of_workload(field) for field in EXAMPLES},
}
