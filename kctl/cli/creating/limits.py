"""``kctl create quota, poddisruptionbudget, priorityclass``: what bounds others, from flags, as kubectl."""

from __future__ import annotations

import re

import click

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.cli import options, writing
from kctl.cli.create import NAME, generated
from kctl.cli.generators import metadata
from kctl.cli.session import Settings

COUNT = re.compile(r"[0-9]+%?")
IN_SELECTOR = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


def quota(name: str, namespace: str | None, hard: str, scopes: str) -> Obj:
    """Return a ResourceQuota; an amount is written as Kubernetes writes it."""
    spec: Obj = {}
    if hard:
        spec["hard"] = dict(sorted(_amount(text) for text in hard.split(",")))
    if scopes:
        spec["scopes"] = scopes.split(",")
        if "" in spec["scopes"]:
            raise KctlError('invalid resource quota scope ""')
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata(name, namespace),
        "spec": spec,
        "status": {},
    }


def _amount(text: str) -> tuple[str, str]:
    from kctl.api import quantity

    resource, equals, amount = text.partition("=")
    if not equals or "=" in amount:
        raise KctlError(f"Invalid argument syntax {text}, expected <resource>=<value>")
    try:
        return resource, quantity.canonical(amount)
    except ValueError as error:
        raise KctlError(str(error)) from None


def budget(name: str, namespace: str | None, selector: str, least: str, most: str) -> Obj:
    """Return a PodDisruptionBudget; ``least`` is minAvailable, ``most`` maxUnavailable."""
    if not selector:
        raise KctlError("a selector must be specified")
    if not most and not least:
        raise KctlError("one of min-available or max-unavailable must be specified")
    if most and least:
        raise KctlError("min-available and max-unavailable cannot be both specified")
    for flag, text in (("min-available", least), ("max-unavailable", most)):
        if text and not COUNT.fullmatch(text):
            raise KctlError(f"invalid format specified for {flag}")
    text = least or most
    count = {"minAvailable" if least else "maxUnavailable": int(text) if text.isdigit() else text}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, namespace),
        "spec": {**count, "selector": label_selector(selector)},
        "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
    }


def label_selector(text: str) -> Obj:
    """Read a selector as flags write it into a LabelSelector, as metav1.ParseToLabelSelector."""
    from kctl.api import selectors

    equal: dict[str, str] = {}
    others: list[Obj] = []
    for requirement in selectors.parse(text).requirements:
        if requirement.operator in ("=", "=="):
            equal[requirement.key] = requirement.values[0]
        elif requirement.operator in IN_SELECTOR:
            found: Obj = {"key": requirement.key, "operator": IN_SELECTOR[requirement.operator]}
            if requirement.values:
                found["values"] = sorted(requirement.values)
            others.append(found)
        else:
            raise KctlError(f'"{requirement.operator}" isn\'t supported in label selectors')
    out: Obj = {"matchExpressions": others} if others else {}
    return {**out, "matchLabels": equal} if equal else out


def priority_class(name: str, value: int, *, is_default: bool, description: str, preemption: str) -> Obj:
    """Return a PriorityClass."""
    out: Obj = {"apiVersion": "scheduling.k8s.io/v1"}
    if description:
        out["description"] = description
    if is_default:
        out["globalDefault"] = True
    return {
        **out,
        "kind": "PriorityClass",
        "metadata": metadata(name, None),
        "preemptionPolicy": preemption,
        "value": value,
    }


@click.command("quota")
@NAME
@click.option("--hard", default="", metavar="RESOURCE=AMOUNT,...", help="What may be used at most.")
@click.option("--scopes", default="", metavar="SCOPE,...", help="Which pods count: all scopes must match.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def quota_command(
    settings: Settings, name: str, hard: str, scopes: str, namespace: str | None, how: writing.How
) -> int:
    """Create a ResourceQuota."""
    return generated(settings, quota(name, namespace, hard, scopes), "resourcequotas", "quota", how)


@click.command("poddisruptionbudget")
@NAME
@click.option("--selector", default="", metavar="SELECTOR", help="Which pods: app=web.")
@click.option("--min-available", "least", default="", metavar="N|N%", help="How many pods must stay available.")
@click.option("--max-unavailable", "most", default="", metavar="N|N%", help="How many pods may be unavailable.")
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def budget_command(
    settings: Settings, name: str, selector: str, least: str, most: str, namespace: str | None, how: writing.How
) -> int:
    """Create a PodDisruptionBudget."""
    obj = budget(name, namespace, selector, least, most)
    return generated(settings, obj, "poddisruptionbudgets.policy", "poddisruptionbudgets", how)


@click.command("priorityclass")
@NAME
@click.option("--value", type=click.IntRange(-(2**31), 2**31 - 1), default=0, help="The priority of its pods.")
@click.option(
    "--global-default", "is_default", type=bool, is_flag=False, flag_value=True, default=False, help="For all others."
)
@click.option("--description", default="", metavar="TEXT", help="When it should be used.")
@click.option("--preemption-policy", "preemption", default="PreemptLowerPriority", show_default=True, help="Or Never.")
@writing.options("kctl-create")
@click.pass_obj
def priority_class_command(
    settings: Settings,
    name: str,
    value: int,
    is_default: bool,
    description: str,
    preemption: str,
    how: writing.How,
) -> int:
    """Create a PriorityClass."""
    obj = priority_class(name, value, is_default=is_default, description=description, preemption=preemption)
    return generated(settings, obj, "priorityclasses.scheduling.k8s.io", "priorityclass", how)
