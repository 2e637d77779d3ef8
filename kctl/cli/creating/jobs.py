"""``kctl create job`` and ``cronjob``: from flags, or a Job from a CronJob, as kubectl."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kctl.api.errors import KctlError
from kctl.api.objects import Obj, dig
from kctl.cli import options, writing
from kctl.cli.create import NAME, generated
from kctl.cli.generators import metadata
from kctl.cli.session import Settings

MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}
WORDS = click.argument("words", nargs=-1, metavar="[-- COMMAND...]")


def pod_template(name: str, image: str, command: Sequence[str], restart: str) -> Obj:
    """Return the template of a pod with one container, named as what it belongs to."""
    container: Obj = {"command": list(command)} if command else {}
    container |= {"image": image, "name": name, "resources": {}}
    return {"metadata": {}, "spec": {"containers": [container], "restartPolicy": restart}}


def job(name: str, namespace: str | None, image: str, command: Sequence[str]) -> Obj:
    """Return a Job whose pod never restarts its container."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(name, namespace),
        "spec": {"template": pod_template(name, image, command, "Never")},
        "status": {},
    }


def job_of(cron_job: Obj, name: str, namespace: str | None) -> Obj:
    """Return the Job that a CronJob would start, owned by it (createJobFromCronJob)."""
    template = cron_job["spec"]["jobTemplate"]
    meta = cron_job["metadata"]
    out: Obj = {"annotations": {**MANUAL, **dig(template, "metadata", "annotations", default={})}}
    labels = dig(template, "metadata", "labels")
    if labels:
        out["labels"] = labels
    out["name"] = name
    if namespace:
        out["namespace"] = namespace
    out["ownerReferences"] = [
        {"apiVersion": "batch/v1", "controller": True, "kind": "CronJob", "name": meta["name"], "uid": meta["uid"]}
    ]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": out, "spec": template["spec"], "status": {}}


def cron_job(name: str, namespace: str | None, image: str, schedule: str, command: Sequence[str], restart: str) -> Obj:
    """Return a CronJob."""
    job_spec = {"template": pod_template(name, image, command, restart or "OnFailure")}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(name, namespace),
        "spec": {"jobTemplate": {"metadata": {"name": name}, "spec": job_spec}, "schedule": schedule},
        "status": {},
    }


def _source(settings: Settings, word: str, namespace: str | None) -> Obj:
    """Return the CronJob that ``--from`` names."""
    from kctl.cli import select
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        found = select.parse(plane.server.registry, word.split())
        names = [(chosen.kind, name) for chosen in found for name in chosen.names]
        if len(names) != 1:
            raise KctlError("from must be an existing cronjob")
        kind, name = names[0]
        obj = plane.client.get(kind.resource, (namespace or "default") if kind.namespaced else "", name)
    if kind.kind != "CronJob":
        raise KctlError(f"unknown object type *{kind.version}.{kind.kind}")
    return obj


@click.command("job")
@NAME
@WORDS
@click.option("--image", default="", metavar="IMAGE", help="The image to run.")
@click.option("--from", "source", default="", metavar="cronjob/NAME", help="A CronJob whose Job to start now.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def job_command(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    image: str,
    source: str,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a Job that runs an image, or what a CronJob would run."""
    if bool(image) == bool(source):
        raise KctlError("either --image or --from must be specified")
    if words and source:
        raise KctlError("cannot specify --from and command")
    if source:
        obj = job_of(_source(settings, source, namespace), name, namespace)
    else:
        obj = job(name, namespace, image, words)
    return generated(settings, obj, "jobs.batch", "job", how)


@click.command("cronjob")
@NAME
@WORDS
@click.option("--image", required=True, metavar="IMAGE", help="The image to run.")
@click.option("--schedule", required=True, metavar="CRON", help="When to run it: minute hour day month weekday.")
@click.option("--restart", default="", metavar="POLICY", help="OnFailure (default) or Never.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def cron_job_command(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    image: str,
    schedule: str,
    restart: str,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a CronJob that runs an image on a schedule."""
    obj = cron_job(name, namespace, image, schedule, words, restart)
    return generated(settings, obj, "cronjobs.batch", "cronjob", how)
