"""``kctl auth``: who one is, and what one may do; the API server answers, as for kubectl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.api.objects import Obj
from kctl.cli import options, tables
from kctl.cli.session import Settings
from kctl.cli.verbs import Verbs

if TYPE_CHECKING:
    from kctl.api.registry import Registry

NOTE = "authorization is AlwaysAllow: everybody may do everything"


@click.group("auth", cls=Verbs, short_help="Say who one is and what one may do.")
def command() -> None:
    """Ask the API server who one is and what one may do."""


@command.command("can-i")
@click.argument("words", nargs=-1, metavar="VERB [TYPE | TYPE/NAME | NONRESOURCEURL]")
@options.namespace
@options.all_namespaces
@click.option("--subresource", default="", metavar="NAME", help="Such as log or scale.")
@click.option("--list", "listing", is_flag=True, help="List everything that is allowed.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit code.")
@options.no_headers
@click.pass_obj
def can_i(
    settings: Settings,
    words: tuple[str, ...],
    namespace: str | None,
    all_namespaces: bool,
    subresource: str,
    listing: bool,
    quiet: bool,
    no_headers: bool,
) -> int:
    """Say yes or no; exit code 0 for yes, 1 for no."""
    from kctl.api.errors import UsageError
    from kctl.cli.output import write
    from kctl.cli.session import open_reader

    scope = "" if all_namespaces else namespace or "default"
    with open_reader(settings) as plane:
        if listing:
            if words:
                raise UsageError("list option must be specified with no arguments")
            body: Obj = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectRulesReview",
                "metadata": {},
                "spec": {"namespace": scope or "default"},
            }
            found = plane.client.create("selfsubjectrulesreviews.authorization.k8s.io", body)
            write(rules_text(found.get("status") or {}, show_headers=not no_headers))
            print(NOTE, file=sys.stderr)
            return 0
        if len(words) not in (2, 3):
            raise UsageError("you must specify two arguments: verb resource or verb resource/resourceName")
        attributes, warning = asked(plane.server.registry, words, scope, subresource)
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": attributes,
        }
        status = plane.client.create("selfsubjectaccessreviews.authorization.k8s.io", review).get("status") or {}
    is_allowed = bool(status.get("allowed"))
    if not quiet:
        if warning:
            print(warning, file=sys.stderr)
        click.echo("yes" if is_allowed else "no")
        print(NOTE, file=sys.stderr)
    return 0 if is_allowed else 1


def asked(registry: Registry, words: tuple[str, ...], scope: str, subresource: str) -> tuple[Obj, str]:
    """Return the attributes of the question, and a warning when the kind is not known."""
    verb, what = words[0], words[1]
    if what.startswith("/"):
        return {"nonResourceAttributes": {"verb": verb, "path": what}}, ""
    word, _, name = what.partition("/")
    name = words[2] if len(words) == 3 else name
    kind = registry.find(word)
    attributes: Obj = {"verb": verb, "resource": kind.plural if kind else word}
    if kind is not None and kind.group:
        attributes["group"] = kind.group
    warning = ""
    if kind is None and word != "*":
        warning = f"Warning: the server doesn't have a resource type '{word}'"
    elif kind is not None and not kind.namespaced:
        group = f" in group '{kind.group}'" if kind.group else ""
        warning = f"Warning: resource '{kind.plural}' is not namespace scoped{group}"
    elif scope:
        attributes["namespace"] = scope
    if name:
        attributes["name"] = name
    if subresource:
        attributes["subresource"] = subresource
    return {"resourceAttributes": attributes}, warning


def rules_text(status: Obj, *, show_headers: bool = True) -> str:
    """Return what is allowed as a table."""
    rows = []
    for rule in status.get("resourceRules") or ():
        for group in rule.get("apiGroups") or ("",):
            for resource in rule.get("resources") or ():
                name = f"{resource}.{group}" if group else resource
                rows.append([name, "[]", _list(rule.get("resourceNames")), _list(rule.get("verbs"))])
    rows += [
        ["", _list(rule.get("nonResourceURLs")), "[]", _list(rule.get("verbs"))]
        for rule in status.get("nonResourceRules") or ()
    ]
    return tables.plain(["Resources", "Non-Resource URLs", "Resource Names", "Verbs"], rows, show_headers=show_headers)


def _list(values: object) -> str:
    return f"[{' '.join(values)}]" if isinstance(values, list) else "[]"


@command.command("whoami")
@options.output("json", "yaml")
@click.pass_obj
def whoami(settings: Settings, output: str | None) -> int:
    """Say who one is."""
    from kctl.cli.output import document, write
    from kctl.cli.session import open_reader

    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
    with open_reader(settings) as plane:
        review = plane.client.create("selfsubjectreviews.authentication.k8s.io", body)
    if output:
        write(document(review, output))
        return 0
    user = (review.get("status") or {}).get("userInfo") or {}
    rows = [["Username", user.get("username", "")]]
    if user.get("groups"):
        rows.append(["Groups", _list(user["groups"])])
    write(tables.plain(["ATTRIBUTE", "VALUE"], rows))
    return 0
