"""``kctl create ingress``: rules as ``host/path=service:port[,tls[=secret]]``, as kubectl."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.cli import options, writing
from kctl.cli.create import NAME, generated
from kctl.cli.generators import metadata
from kctl.cli.session import Settings

RULE = re.compile(
    r"(?P<host>[\w*.-]*)(?P<path>/.*)=(?P<service>[\w-]+):(?P<port>[\w-]+)(?P<tls>,tls=?(?P<secret>[\w-]+)?)?", re.ASCII
)


def ingress(
    name: str,
    namespace: str | None,
    rules: Sequence[str],
    *,
    default: str = "",
    class_: str = "",
    annotations: Sequence[str] = (),
) -> Obj:
    """Return an Ingress; paths that end in ``*`` are prefixes."""
    if not default and not rules:
        raise KctlError(
            "not enough information provided: every ingress has to either specify a default-backend (which catches "
            "all traffic) or a list of rules (which catch specific paths)"
        )
    for rule in rules:
        if RULE.fullmatch(rule) is None:
            raise KctlError(f"rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]")
    meta = metadata(name, namespace)
    if annotations:
        meta = {"annotations": dict(_annotation(text) for text in annotations), **meta}
    spec: Obj = {}
    if default:
        if default.count(":") != 1:
            raise KctlError("default-backend should be in format servicename:serviceport")
        spec["defaultBackend"] = backend(*default.split(":"))
    if class_:
        spec["ingressClassName"] = class_
    if rules:
        spec["rules"] = _rules(rules)
    tls = _tls(rules)
    if tls:
        spec["tls"] = tls
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta,
        "spec": spec,
        "status": {"loadBalancer": {}},
    }


def _annotation(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise KctlError(f"annotation {text} is invalid and should be in format key=[value]")
    return key, value


def backend(service: str, port: str) -> Obj:
    """Return the backend of a Service; a port is a number or a name."""
    return {"service": {"name": service, "port": {"number": int(port)} if port.isdigit() else {"name": port}}}


def _rules(rules: Sequence[str]) -> list[Obj]:
    """Return a rule per host, in the order hosts first appear (buildIngressRules)."""
    paths: dict[str, list[Obj]] = {}
    for rule in rules:
        host, _, rest = rule.split(",")[0].partition("/")
        path, target = f"/{rest}".split("=")[:2]
        kind = "Prefix" if path.endswith("*") else "Exact"
        found = {"backend": backend(*target.split(":")[:2]), "path": path.removesuffix("*"), "pathType": kind}
        paths.setdefault(host, []).append(found)
    return [{**({"host": host} if host else {}), "http": {"paths": found}} for host, found in paths.items()]


def _tls(rules: Sequence[str]) -> list[Obj]:
    """Return an entry per secret with its hosts, each host once (buildTLSRules)."""
    hosts: dict[str, list[str]] = {}
    seen: set[str] = set()
    for rule in rules:
        head, comma, tls = rule.partition(",")
        host = head.partition("/")[0]
        if not comma or "," in tls or host in seen:
            continue
        seen.add(host)
        secret = tls.partition("=")[2]
        if host or secret:
            hosts.setdefault(secret, []).extend([host] if host or secret in hosts else [])
    return [
        {**({"hosts": found} if found else {}), **({"secretName": secret} if secret else {})}
        for secret, found in hosts.items()
    ]


@click.command("ingress")
@NAME
@click.option(
    "--rule", "rules", multiple=True, metavar="HOST/PATH=SERVICE:PORT[,tls[=SECRET]]", help="A rule; may be repeated."
)
@click.option("--class", "class_", default="", metavar="NAME", help="The IngressClass.")
@click.option("--default-backend", "default", default="", metavar="SERVICE:PORT", help="Where all else goes.")
@click.option("--annotation", "annotations", multiple=True, metavar="KEY=VALUE", help="An annotation.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def command(
    settings: Settings,
    name: str,
    rules: tuple[str, ...],
    class_: str,
    default: str,
    annotations: tuple[str, ...],
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create an Ingress from rules."""
    obj = ingress(name, namespace, rules, default=default, class_=class_, annotations=annotations)
    return generated(settings, obj, "ingresses.networking.k8s.io", "ingress", how)
