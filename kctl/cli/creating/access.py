"""``kctl create role, clusterrole, rolebinding, clusterrolebinding``: access control from flags, as kubectl."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.cli import options, writing
from kctl.cli.create import NAME, generated, listed
from kctl.cli.generators import metadata
from kctl.cli.session import Settings

F = TypeVar("F", bound=Callable[..., Any])
GROUP = "rbac.authorization.k8s.io"
VERSION = f"{GROUP}/v1"
VERBS = frozenset(
    [
        "*",
        "get",
        "delete",
        "list",
        "create",
        "update",
        "patch",
        "watch",
        "proxy",
        "deletecollection",
        "use",
        "bind",
        "escalate",
        "impersonate",
    ]
)
URL_VERBS = frozenset(["*", "get", "post", "put", "delete", "patch", "head", "options"])
SPECIAL = {
    "use": {("podsecuritypolicies", "policy"), ("podsecuritypolicies", "extensions")},
    "bind": {("roles", GROUP), ("clusterroles", GROUP)},
    "escalate": {("roles", GROUP), ("clusterroles", GROUP)},
    "impersonate": {
        ("users", ""),
        ("serviceaccounts", ""),
        ("groups", ""),
        ("userextras", "authentication.k8s.io"),
    },
}
"""Verbs that mean something for these (resource, group) alone."""


class Resource(NamedTuple):
    """One ``--resource``: name, group and subresource, and whether the API server has it."""

    name: str
    group: str
    sub: str
    is_known: bool

    @property
    def full(self) -> str:
        """Return it as a rule names it."""
        return f"{self.name}/{self.sub}" if self.sub else self.name


class Rules(NamedTuple):
    """What the flags ask to allow."""

    verbs: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


def rules_of(
    verbs: Sequence[str], resources: Sequence[str], names: Sequence[str], urls: Sequence[str] = (), *, registry: Any
) -> Rules:
    """Read the flags of a role: no word twice, and ``*`` stands for all others."""
    return Rules(
        ("*",) if "*" in verbs else tuple(dict.fromkeys(verbs)),
        _resources(resources, registry),
        tuple(dict.fromkeys(names)),
        tuple(dict.fromkeys(urls)),
    )


def _resources(words: Sequence[str], registry: Any) -> tuple[Resource, ...]:
    """Read ``resource.group/subresource``; short names become the plural (CreateRoleOptions.Complete)."""
    out = []
    for word in words:
        if word == "*":
            return (Resource("*", "", "", True),)
        place, _, sub = word.partition("/")
        name, _, group = place.partition(".")
        found = registry.find(place) if name and name != "*" else None
        if found is None:
            out.append(Resource(name, group, sub, name == "*"))
        else:
            out.append(Resource(found.plural, found.group, sub, True))
    return tuple(out)


def check_resources(resources: Sequence[Resource], verbs: Sequence[str]) -> None:
    """Refuse what the API server does not have, and special verbs on other things than theirs."""
    for found in resources:
        if not found.name:
            raise KctlError("resource must be specified if apiGroup/subresource specified")
        if found.name == "*":
            return
        is_known = found.is_known
        for verb in verbs:
            if verb not in SPECIAL:
                continue
            if (found.name, found.group) not in SPECIAL[verb]:
                raise KctlError(f"can not perform '{verb}' on '{found.name}' in group '{found.group}'")
            is_known = True
        if not is_known:
            where = f' in group "{found.group}"' if found.group else ""
            raise KctlError(f'the server doesn\'t have a resource type "{found.name}"{where}')


def check_role(rules: Rules) -> None:
    """Refuse what makes no Role, in kubectl's order and words."""
    if not rules.verbs:
        raise KctlError("at least one verb must be specified")
    _note_verbs(rules)
    if not rules.resources:
        raise KctlError("at least one resource must be specified")
    check_resources(rules.resources, rules.verbs)


def check_cluster_role(rules: Rules, aggregation: Sequence[str]) -> None:
    """Refuse what makes no ClusterRole."""
    if aggregation:
        if any(rules):
            raise KctlError(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames"
            )
        return
    if not rules.verbs:
        raise KctlError("at least one verb must be specified")
    if not rules.resources and not rules.urls:
        raise KctlError("one of resource or nonResourceURL must be specified")
    if rules.resources:
        _note_verbs(rules)
        check_resources(rules.resources, rules.verbs)
    if rules.urls:
        _check_urls(rules)


def _check_urls(rules: Rules) -> None:
    for verb in rules.verbs:
        if verb not in URL_VERBS:
            raise KctlError(f"invalid verb: '{verb}' for nonResourceURL")
    for url in rules.urls:
        if url == "*":
            continue
        if not url.startswith("/"):
            raise KctlError("nonResourceURL should start with /")
        if "*" in url[:-1]:
            raise KctlError("nonResourceURL only supports wildcard matches when '*' is at the end")


def _note_verbs(rules: Rules) -> None:
    for verb in rules.verbs:
        if verb not in VERBS:
            print(f"Warning: '{verb}' is not a standard resource verb", file=sys.stderr)


def policy_rules(rules: Rules) -> list[Obj]:
    """Return a rule per group, and one for URLs (generateResourcePolicyRules)."""
    by_group: dict[str, dict[str, None]] = {}
    for found in rules.resources:
        by_group.setdefault(found.group, {})[found.full] = None
    out: list[Obj] = []
    for group in sorted(by_group):
        rule: Obj = {"apiGroups": [group]}
        if rules.names:
            rule["resourceNames"] = list(rules.names)
        out.append({**rule, "resources": list(by_group[group]), "verbs": list(rules.verbs)})
    if rules.urls:
        out.append({"nonResourceURLs": list(rules.urls), "verbs": list(rules.verbs)})
    return out


def role(kind: str, name: str, namespace: str | None, rules: Rules, aggregation: Sequence[str] = ()) -> Obj:
    """Return a Role or ClusterRole."""
    out: Obj = {"apiVersion": VERSION}
    if aggregation:
        out["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": _labels(aggregation)}]}
    return {
        **out,
        "kind": kind,
        "metadata": metadata(name, namespace),
        "rules": None if aggregation else policy_rules(rules),
    }


def _labels(pairs: Sequence[str]) -> dict[str, str]:
    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise KctlError(
                f'invalid argument "{pair}" for "--aggregation-rule" flag: malformed pair, expect string=string'
            )
        out[key.strip()] = value.strip()
    return out


def binding(kind: str, name: str, namespace: str | None, role_ref: tuple[str, str], subjects: Sequence[Obj]) -> Obj:
    """Return a RoleBinding or ClusterRoleBinding to a role, given as (kind, name)."""
    out: Obj = {
        "apiVersion": VERSION,
        "kind": kind,
        "metadata": metadata(name, namespace),
        "roleRef": {"apiGroup": GROUP, "kind": role_ref[0], "name": role_ref[1]},
    }
    return {**out, "subjects": list(subjects)} if subjects else out


def subjects_of(users: Sequence[str], groups: Sequence[str], accounts: Sequence[str]) -> list[Obj]:
    """Return the subjects the flags name: users, then groups, then service accounts."""
    out: list[Obj] = [{"apiGroup": GROUP, "kind": "User", "name": user} for user in users]
    out += [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups]
    for account in accounts:
        namespace, _, name = account.partition(":")
        if not namespace or not name or ":" in name:
            raise KctlError("serviceaccount must be <namespace>:<name>")
        out.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
    return out


def _registry(settings: Settings, words: Sequence[str], how: writing.How) -> Any:
    """Return the kinds to look names up in: those of the cluster, where the built-in ones do not do."""
    from kctl.api.registry import builtin

    known = builtin()
    places = [word.partition("/")[0] for word in words]
    if how.is_local or all(place == "*" or known.find(place) for place in places):
        return known
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        return plane.server.registry


def rule_options(function: F) -> F:
    """Add ``--verb --resource --resource-name``."""
    for option in (
        click.option(
            "--resource-name", "names", multiple=True, metavar="NAME", help="The rule is for objects of this name only."
        ),
        click.option(
            "--resource", "resources", multiple=True, metavar="RESOURCE", help="What: resource.group/subresource."
        ),
        click.option("--verb", "verbs", multiple=True, metavar="VERB", help="What may be done."),
    ):
        function = option(function)
    return function


def subject_options(function: F) -> F:
    """Add ``--user --group --serviceaccount``."""
    for option in (
        click.option(
            "--serviceaccount", "accounts", multiple=True, metavar="NS:NAME", help="A service account; may be repeated."
        ),
        click.option("--group", "groups", multiple=True, metavar="NAME", help="A group of users; may be repeated."),
        click.option("--user", "users", multiple=True, metavar="NAME", help="A user; may be repeated."),
    ):
        function = option(function)
    return function


@click.command("role")
@NAME
@rule_options
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def role_command(
    settings: Settings,
    name: str,
    verbs: tuple[str, ...],
    resources: tuple[str, ...],
    names: tuple[str, ...],
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a Role with the rules that --verb and --resource give."""
    words = listed(resources)
    rules = rules_of(listed(verbs), words, names, registry=_registry(settings, words, how))
    check_role(rules)
    return generated(settings, role("Role", name, namespace, rules), f"roles.{GROUP}", "", how)


@click.command("clusterrole")
@NAME
@rule_options
@click.option("--non-resource-url", "urls", multiple=True, metavar="URL", help="A path of the API server's own.")
@click.option(
    "--aggregation-rule",
    "aggregation",
    multiple=True,
    metavar="KEY=VALUE",
    help="Take the rules of the ClusterRoles with this label.",
)
@writing.options("kctl-create")
@click.pass_obj
def cluster_role_command(
    settings: Settings,
    name: str,
    verbs: tuple[str, ...],
    resources: tuple[str, ...],
    names: tuple[str, ...],
    urls: tuple[str, ...],
    aggregation: tuple[str, ...],
    how: writing.How,
) -> int:
    """Create a ClusterRole from rules, or one that aggregates others."""
    words = listed(resources)
    rules = rules_of(listed(verbs), words, names, listed(urls), registry=_registry(settings, words, how))
    pairs = listed(aggregation)
    check_cluster_role(rules, pairs)
    return generated(settings, role("ClusterRole", name, None, rules, pairs), f"clusterroles.{GROUP}", "", how)


@click.command("rolebinding")
@NAME
@click.option("--clusterrole", "cluster_role", default="", metavar="NAME", help="The ClusterRole to bind.")
@click.option("--role", "role_name", default="", metavar="NAME", help="The Role to bind.")
@subject_options
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def role_binding_command(
    settings: Settings,
    name: str,
    cluster_role: str,
    role_name: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a RoleBinding for a Role or ClusterRole."""
    if bool(cluster_role) == bool(role_name):
        raise KctlError("exactly one of clusterrole or role must be specified")
    ref = ("Role", role_name) if role_name else ("ClusterRole", cluster_role)
    obj = binding("RoleBinding", name, namespace, ref, subjects_of(users, groups, accounts))
    return generated(settings, obj, f"rolebindings.{GROUP}", "rolebinding", how)


@click.command("clusterrolebinding")
@NAME
@click.option(
    "--clusterrole", "cluster_role", default="", required=True, metavar="NAME", help="The ClusterRole to bind."
)
@subject_options
@writing.options("kctl-create")
@click.pass_obj
def cluster_role_binding_command(
    settings: Settings,
    name: str,
    cluster_role: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    how: writing.How,
) -> int:
    """Create a ClusterRoleBinding for a ClusterRole."""
    ref = ("ClusterRole", cluster_role)
    obj = binding("ClusterRoleBinding", name, None, ref, subjects_of(users, groups, accounts))
    return generated(settings, obj, f"clusterrolebindings.{GROUP}", "clusterrolebinding", how)
