"""``kctl auth``: who one is, and what one may do; the API server answers, as for kubectl."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from kctl.api.objects import Obj
from kctl.cli import options, tables
from kctl.cli.session import Settings
from kctl.cli.verbs import Verbs

if TYPE_CHECKING:
    from kctl.api.registry import Registry
    from kctl.plane.plane import ControlPlane

AUTHORIZATION = "/apis/authorization.k8s.io/v1"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
F = TypeVar("F", bound=Callable[..., Any])


class Acting(NamedTuple):
    """Whom the question is asked as: the options ``--as``, ``--as-group`` and ``--as-uid``."""

    user: str
    groups: tuple[str, ...]
    uid: str

    def headers(self) -> list[tuple[str, str]]:
        """Return what a request says to act as somebody."""
        found = [("Impersonate-User", self.user)] if self.user else []
        found += [("Impersonate-Group", group) for group in self.groups]
        return found + ([("Impersonate-Uid", self.uid)] if self.uid else [])


def acting(command: F) -> F:
    """Add the options that say whom a question is asked as."""
    for option in (
        click.option("--as-uid", default="", metavar="UID", help="With this uid."),
        click.option("--as-group", "as_groups", multiple=True, metavar="GROUP", help="In this group; repeatable."),
        click.option("--as", "as_user", default="", metavar="USER", help="Ask as this user or ServiceAccount."),
    ):
        command = option(command)
    return command


def ask(plane: ControlPlane, who: Acting, path: str, body: Obj) -> Obj:
    """Send a review as who asks and return its answer; StatusError when the server refuses."""
    from kctl.api.errors import StatusError

    response = plane.request("POST", path, body, "application/json", who.headers())
    answer: Obj = response.json()
    if response.status >= 300:
        raise StatusError(response.status, answer.get("reason") or "", answer.get("message") or "")
    return answer


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
@acting
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
    as_user: str,
    as_groups: tuple[str, ...],
    as_uid: str,
) -> int:
    """Say yes or no; exit code 0 for yes, 1 for no."""
    from kctl.api.errors import UsageError
    from kctl.cli.output import write
    from kctl.cli.session import open_reader

    who = Acting(as_user, as_groups, as_uid)
    scope = "" if all_namespaces else namespace or "default"
    with open_reader(settings) as plane:
        if listing:
            if words:
                raise UsageError("list option must be specified with no arguments")
            body = _review("SelfSubjectRulesReview", {"namespace": scope or "default"})
            status = ask(plane, who, f"{AUTHORIZATION}/selfsubjectrulesreviews", body).get("status") or {}
            write(rules_text(status, show_headers=not no_headers))
            return 0
        if len(words) not in (2, 3):
            raise UsageError("you must specify two arguments: verb resource or verb resource/resourceName")
        attributes, warning = asked(plane.server.registry, words, scope, subresource)
        body = _review("SelfSubjectAccessReview", attributes)
        status = ask(plane, who, f"{AUTHORIZATION}/selfsubjectaccessreviews", body).get("status") or {}
    is_allowed = bool(status.get("allowed"))
    if not quiet:
        if warning:
            print(warning, file=sys.stderr)
        reasons = [] if is_allowed else [text for text in (status.get("reason"), status.get("evaluationError")) if text]
        click.echo(" - ".join(["yes" if is_allowed else "no", *reasons]))
    return 0 if is_allowed else 1


def _review(kind: str, spec: Obj) -> Obj:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec}


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
    """Return what is allowed as a table: a line for what one rule says of one resource or path, as kubectl."""
    from kctl.api import rbac

    given = [*(status.get("resourceRules") or ()), *(status.get("nonResourceRules") or ())]
    fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    small = rbac.compacted(single for rule in given for single in rbac.split(rule))
    small.sort(key=lambda rule: [rule.get(field) or [] for field in fields])
    rows = [
        [
            _resource(rule),
            _list(rule.get("nonResourceURLs")),
            _list(rule.get("resourceNames")),
            _list(rule.get("verbs")),
        ]
        for rule in small
    ]
    return tables.plain(["Resources", "Non-Resource URLs", "Resource Names", "Verbs"], rows, show_headers=show_headers)


def _resource(rule: Obj) -> str:
    """Return a rule's resource with its group, as kubectl combines them."""
    if not rule.get("resources"):
        return ""
    resource, slash, subresource = rule["resources"][0].partition("/")
    group = rule["apiGroups"][0]
    return f"{resource}.{group}{slash}{subresource}" if group else f"{resource}{slash}{subresource}"


def _list(values: object) -> str:
    return f"[{' '.join(values)}]" if isinstance(values, list) else "[]"


@command.command("whoami")
@options.output("json", "yaml")
@acting
@click.pass_obj
def whoami(settings: Settings, output: str | None, as_user: str, as_groups: tuple[str, ...], as_uid: str) -> int:
    """Say who one is."""
    from kctl.cli.output import document, write
    from kctl.cli.session import open_reader

    body: Obj = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
    with open_reader(settings) as plane:
        review = ask(plane, Acting(as_user, as_groups, as_uid), f"{AUTHENTICATION}/selfsubjectreviews", body)
    if output:
        write(document(review, output))
        return 0
    user = (review.get("status") or {}).get("userInfo") or {}
    rows = [["Username", user.get("username", "")]]
    if user.get("uid"):
        rows.append(["UID", user["uid"]])
    if user.get("groups"):
        rows.append(["Groups", _list(user["groups"])])
    write(tables.plain(["ATTRIBUTE", "VALUE"], rows))
    return 0
