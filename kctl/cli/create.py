"""``kctl create``: new objects from files or from flags, as kubectl."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import click

from kctl.api.objects import Obj
from kctl.cli import data_sources, generators, options, targets, writing
from kctl.cli.session import Settings
from kctl.cli.verbs import Verbs

F = TypeVar("F", bound=Callable[..., Any])
INVALID = (400, 422)
NAME = click.argument("name", metavar="NAME")
LATER = {
    name: f"kctl.cli.creating.{place}"
    for place, names in {
        "access:role_command": ("role",),
        "access:cluster_role_command": ("clusterrole",),
        "access:role_binding_command": ("rolebinding",),
        "access:cluster_role_binding_command": ("clusterrolebinding",),
        "ingress:command": ("ingress", "ing"),
        "jobs:job_command": ("job",),
        "jobs:cron_job_command": ("cronjob", "cj"),
        "limits:quota_command": ("quota", "resourcequota"),
        "limits:budget_command": ("poddisruptionbudget", "pdb"),
        "limits:priority_class_command": ("priorityclass", "pc"),
        "token:command": ("token",),
    }.items()
    for name in names
}
"""What is made from flags in files of its own, by the names kubectl gives it."""
APPEND_HASH = click.option("--append-hash", is_flag=True, help="Append a hash of the content to the name.")


def from_sources(function: F) -> F:
    """Add ``--from-literal``, ``--from-file`` and ``--from-env-file``."""
    for option in (
        click.option(
            "--from-env-file",
            "env_files",
            multiple=True,
            type=click.Path(),
            metavar="PATH",
            help="A key for every line KEY=VALUE of a file.",
        ),
        click.option(
            "--from-file",
            "files",
            multiple=True,
            type=click.Path(),
            metavar="[KEY=]PATH",
            help="A key for a file, or for every file of a directory.",
        ),
        click.option("--from-literal", "literals", multiple=True, metavar="KEY=VALUE", help="A key and its value."),
    ):
        function = option(function)
    return function


@click.group(
    "create", cls=Verbs, later=LATER, invoke_without_command=True, short_help="Create objects from files or flags."
)
@options.filenames()
@options.namespace
@writing.options("kctl-create")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create objects from files (-f), or one from flags with a command below."""
    from kctl.api.errors import UsageError

    if ctx.invoked_subcommand is not None:
        if paths:
            raise UsageError("-f goes without a command below create")
        return 0
    options.refuse_kustomize(kustomize)
    if not paths:
        raise UsageError("must specify one of -f and -k", hint="or what to create: kctl create --help")
    choice = targets.Choice(paths, recursive, None, ignore_not_manifest, namespace)
    return from_files(cast("Settings", ctx.obj), choice, how)


def from_files(settings: Settings, choice: targets.Choice, how: writing.How) -> int:
    """Create what manifests describe; what is there already is an error, and what is invalid stops all."""
    from kctl.api.errors import StatusError
    from kctl.cli.session import open_existing

    with open_existing(settings) as plane:
        found = targets.manifests(plane, choice)

        def step(said: writing.Said) -> None:
            is_invalid = False
            for kind, key, obj, place in found:
                meta = {**obj["metadata"], **({"namespace": key.namespace} if key.namespace else {})}
                placed = {**obj, "metadata": meta}
                try:
                    said.did(placed if how.is_local else _create(plane, kind.resource, placed, how), "created")
                except StatusError as error:
                    is_invalid = is_invalid or error.code in INVALID
                    said.failed(f"{place}: error when creating: {error.message}")
            if is_invalid:
                plane.refresh()  # drops what was created: all of it or nothing
                said.text = ""

        return writing.carry_out(plane, how, step)


def _create(plane: Any, resource: str, obj: Obj, how: writing.How) -> Obj:
    return writing.client_of(plane, how).create(resource, obj, dry_run=how.is_dry)


def generated(settings: Settings, obj: Obj, resource: str, what: str, how: writing.How) -> int:
    """Create one object made from flags; with ``--dry-run=client`` no cluster is needed.

    ``what`` is how kubectl names it when it fails, "" where it leaves the server's error as it is.
    """
    from kctl.api.errors import KctlError, StatusError
    from kctl.cli.session import open_existing

    if how.is_local:
        said = writing.Said(how)
        said.did(obj, "created")
        writing.emit(said)
        if obj["kind"] == "Secret" and how.output in ("json", "yaml") and not how.show_secrets:
            print("the values are masked; --show-secrets shows them", file=sys.stderr)
        return 0
    with open_existing(settings) as plane:
        placed = obj
        if plane.server.registry.storage(resource).namespaced and not obj["metadata"].get("namespace"):
            placed = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}

        def step(said: writing.Said) -> None:
            try:
                said.did(_create(plane, resource, placed, how), "created")
            except StatusError as error:
                if not what:
                    raise
                raise KctlError(f"failed to create {what}: {error.message}") from None

        return writing.carry_out(plane, how, step)


def listed(values: Sequence[str]) -> list[str]:
    """Return the parts of flags that may be repeated or hold commas."""
    return [part for value in values for part in value.split(",") if part]


@command.command("configmap")
@NAME
@from_sources
@APPEND_HASH
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def configmap(
    settings: Settings,
    name: str,
    literals: tuple[str, ...],
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    append_hash: bool,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a ConfigMap from files, directories or literal values."""
    data = data_sources.load(data_sources.Sources(literals, listed(files), listed(env_files)), "ConfigMap", name)
    obj = generators.config_map(name, namespace, data, append_hash=append_hash)
    return generated(settings, obj, "configmaps", "configmap", how)


command.add_command(configmap, "cm")


@command.group(
    "secret",
    cls=Verbs,
    later={
        "docker-registry": "kctl.cli.creating.secrets:docker_command",
        "tls": "kctl.cli.creating.secrets:tls_command",
    },
)
def secret() -> None:
    """Create a Secret."""


@secret.command("generic")
@NAME
@from_sources
@click.option("--type", "type_", default="", metavar="TYPE", help="The type of the Secret.")
@APPEND_HASH
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def generic(
    settings: Settings,
    name: str,
    literals: tuple[str, ...],
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    type_: str,
    append_hash: bool,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a Secret from files, directories or literal values."""
    data = data_sources.load(data_sources.Sources(literals, listed(files), listed(env_files)), "Secret", name)
    obj = generators.secret(name, namespace, data, type_=type_, append_hash=append_hash)
    return generated(settings, obj, "secrets", "secret", how)


@command.command("namespace")
@NAME
@writing.options("kctl-create")
@click.pass_obj
def namespace_(settings: Settings, name: str, how: writing.How) -> int:
    """Create a Namespace."""
    return generated(settings, generators.namespace(name), "namespaces", "namespace", how)


command.add_command(namespace_, "ns")


@command.command("serviceaccount")
@NAME
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def serviceaccount(settings: Settings, name: str, namespace: str | None, how: writing.How) -> int:
    """Create a ServiceAccount."""
    obj = generators.service_account(name, namespace)
    return generated(settings, obj, "serviceaccounts", "serviceaccount", how)


command.add_command(serviceaccount, "sa")


@command.command("deployment")
@NAME
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--image", "images", multiple=True, required=True, metavar="IMAGE", help="An image; may be repeated.")
@click.option("-r", "--replicas", type=int, default=1, show_default=True, help="How many pods.")
@click.option("--port", type=int, default=-1, help="The port that the first container exposes.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def deployment(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    images: tuple[str, ...],
    replicas: int,
    port: int,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a Deployment with a container for each image."""
    obj = generators.deployment(name, namespace, listed(images), replicas=replicas, port=port, command=words)
    return generated(settings, obj, "deployments.apps", "deployment", how)


command.add_command(deployment, "deploy")


@command.group("service", cls=Verbs)
def service() -> None:
    """Create a Service."""


command.add_command(service, "svc")


def _service_command(type_: str, *extra: Callable[[Any], Any]) -> None:
    """Add ``create service TYPE``."""

    def made(
        settings: Settings, name: str, tcp: tuple[str, ...], namespace: str | None, how: writing.How, **more: Any
    ) -> int:
        obj = generators.service(name, namespace, type_, listed(tcp), **more)
        return generated(settings, obj, "services", f"{type_} service", how)

    ports = click.option("--tcp", multiple=True, metavar="PORT[:TARGET]", help="A port; may be repeated.")
    function: Any = click.pass_obj(made)
    for option in (writing.options("kctl-create"), options.namespace, *extra, ports, NAME):
        function = option(function)
    service.command(type_.lower(), help=f"Create a {type_} Service that selects app=NAME.")(function)


_service_command(
    "ClusterIP",
    click.option("--clusterip", "cluster_ip", default="", metavar="IP|None", help="Its address, None for none."),
)
_service_command(
    "NodePort", click.option("--node-port", type=int, default=0, metavar="PORT", help="The port on every node.")
)
_service_command("LoadBalancer")
_service_command(
    "ExternalName", click.option("--external-name", required=True, metavar="HOST", help="The name it stands for.")
)
