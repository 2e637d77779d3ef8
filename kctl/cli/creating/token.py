"""``kctl create token``: a token for a ServiceAccount, from the API server, as kubectl.

It is printed without a newline where nobody looks at it, so that ``$(kctl create token x)``
and a file hold the token and nothing else.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from kctl.api import durations
from kctl.api.errors import KctlError, StatusError
from kctl.api.objects import Obj
from kctl.cli import options
from kctl.cli.output import document, write
from kctl.cli.session import Settings

KINDS = ("Node", "Pod", "Secret")


def request(audiences: tuple[str, ...], duration: str, kind: str, name: str, uid: str) -> Obj:
    """Return the TokenRequest the flags ask for, refused in kubectl's words."""
    seconds = _seconds(duration)
    if "" in audiences:
        raise KctlError("--audience must not be an empty string")
    if not kind:
        for flag, value in (("name", name), ("uid", uid)):
            if value:
                raise KctlError(f"--bound-object-{flag} can only be set if --bound-object-kind is provided")
    elif kind not in KINDS:
        raise KctlError(f"supported --bound-object-kind values are {', '.join(KINDS)}")
    elif not name:
        raise KctlError("--bound-object-name is required if --bound-object-kind is provided")
    spec: Obj = {"audiences": list(audiences)} if audiences else {}
    if seconds:
        spec["expirationSeconds"] = seconds
    if kind:
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": kind, "name": name, **({"uid": uid} if uid else {})}
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def _seconds(text: str) -> int:
    if not text:
        return 0
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        raise KctlError(f'invalid argument "{text}" for "--duration" flag: {error}') from None
    if seconds < 0:
        raise KctlError("--duration must be greater than or equal to 0")
    if seconds != int(seconds):
        raise KctlError("--duration cannot be expressed in units less than seconds")
    return int(seconds)


@click.command("token")
@click.argument("name", metavar="SERVICE_ACCOUNT")
@click.option("--audience", "audiences", multiple=True, metavar="NAME", help="Whom it is for; may be repeated.")
@click.option("--duration", default="", metavar="DURATION", help="How long it is good; default is an hour.")
@click.option("--bound-object-kind", "kind", default="", metavar="KIND", help="Tie it to a Pod, Secret or Node.")
@click.option("--bound-object-name", "bound", default="", metavar="NAME", help="Its name.")
@click.option("--bound-object-uid", "uid", default="", metavar="UID", help="Its uid; default is that of now.")
@options.namespace
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    name: str,
    audiences: tuple[str, ...],
    duration: str,
    kind: str,
    bound: str,
    uid: str,
    namespace: str | None,
    output: str | None,
) -> int:
    """Request a token for a ServiceAccount. Its times are those of the virtual clock."""
    body = request(audiences, duration, kind, bound, uid)
    answer = _ask(settings, name, namespace or "default", body)
    if output in ("json", "yaml"):
        write(document({k: v for k, v in answer.items() if k != "metadata"} | {"metadata": _shown(answer)}, output))
    elif output == "name":
        write(f"tokenrequest.authentication.k8s.io/{name}\n")
    else:
        write(answer["status"]["token"] + ("\n" if sys.stdout.isatty() else ""))
    return 0


def _shown(answer: Obj) -> Obj:
    return {k: v for k, v in answer["metadata"].items() if k != "managedFields"}


def _ask(settings: Settings, name: str, namespace: str, body: Obj) -> Any:
    from kctl.apiserver.request import Request
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        kind = plane.server.registry.storage("serviceaccounts")
        try:
            asked = Request("create", kind, namespace, name, "token", body=body, user_agent="kctl")
            return plane.server.handle(asked)
        except StatusError as error:
            raise KctlError(f"failed to create token: {error.message}") from None
