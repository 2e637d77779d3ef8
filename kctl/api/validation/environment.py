"""Validation of environment variables and of the references that fill them and projected files.

In come ``env`` and ``envFrom`` with their path; complaints are appended as ValidateEnv,
ValidateEnvFrom, validateObjectFieldSelector and validateContainerResourceFieldSelector do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.mounted_paths import local_path

SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
CONVERTIBLE = {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork"} | {
    "status.phase",
    "status.nominatedNodeName",
}
RESOURCE_FIELDS = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}


def env(values: Sequence[Obj], at: str, out: Errors) -> None:
    """Check environment variables."""
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        name = value.get("name") or ""
        if not name:
            out.append(errors.required(f"{here}.name"))
        else:
            formatted(formats.env_var_name, name, f"{here}.name", out)
        if value.get("valueFrom") is not None:
            _value_from(value, here, out)


def _value_from(value: Obj, at: str, out: Errors) -> None:
    """Check where a variable takes its value from: exactly one source, and no literal beside it."""
    source = value["valueFrom"]
    here = f"{at}.valueFrom"
    given = [name for name in SOURCES if source.get(name) is not None]
    if "fieldRef" in given:
        field_ref(source["fieldRef"], ENV_FIELDS, f"{here}.fieldRef", out, downward=True)
    if "resourceFieldRef" in given:
        resource_field_ref(source["resourceFieldRef"], f"{here}.resourceFieldRef", out, volume=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in given:
            _key_ref(source[name], f"{here}.{name}", out)
    if "fileKeyRef" in given:
        _file_key(source["fileKeyRef"], f"{here}.fileKeyRef", out)
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        out.append(errors.invalid(here, "", text))
    elif value.get("value"):
        out.append(errors.invalid(here, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        out.append(errors.invalid(here, "", "may not have more than one field specified at a time"))


def _file_key(value: Obj, at: str, out: Errors) -> None:
    """Check a reference to a variable in a file of a volume."""
    for name in ("volumeName", "path", "key"):
        if not value.get(name):
            out.append(errors.required(f"{at}.{name}"))
    local_path(value.get("path") or "", f"{at}.path", out)


def _key_ref(value: Obj, at: str, out: Errors) -> None:
    """Check a reference to a key of a ConfigMap or Secret."""
    formatted(formats.dns_subdomain, value.get("name") or "", f"{at}.name", out)
    key = value.get("key") or ""
    if not key:
        out.append(errors.required(f"{at}.key"))
    else:
        formatted(formats.config_key, key, f"{at}.key", out)


def field_ref(value: Obj, allowed: Sequence[str], at: str, out: Errors, *, downward: bool) -> None:
    """Check a reference to a field of the pod, as validateObjectFieldSelector."""
    if not value.get("apiVersion"):
        out.append(errors.required(f"{at}.apiVersion"))
        return
    path = value.get("fieldPath") or ""
    if not path:
        out.append(errors.required(f"{at}.fieldPath"))
        return
    if value["apiVersion"] != "v1":
        text = f"error converting fieldPath: unsupported pod version: {value['apiVersion']}"
        out.append(errors.invalid(f"{at}.fieldPath", path, text))
        return
    subscript = re.fullmatch(r"(.*)\['(.*)'\]", path)
    if subscript:
        _subscript(subscript[1], subscript[2], path, at, out)
        return
    if path not in CONVERTIBLE:
        text = f"error converting fieldPath: field label not supported: {path}"
        out.append(errors.invalid(f"{at}.fieldPath", path, text))
    elif path not in allowed:
        out.append(errors.not_supported(f"{at}.fieldPath", path, sorted(allowed)))


def _subscript(parent: str, key: str, path: str, at: str, out: Errors) -> None:
    """Check ``metadata.labels['key']`` and ``metadata.annotations['key']``."""
    if parent == "metadata.annotations":
        formatted(formats.qualified_name, key.lower(), at, out)
    elif parent == "metadata.labels":
        formatted(formats.qualified_name, key, at, out)
    elif parent not in CONVERTIBLE:
        text = f"error converting fieldPath: field label does not support subscript: {path}"
        out.append(errors.invalid(f"{at}.fieldPath", path, text))
    else:
        out.append(errors.invalid(f"{at}.fieldPath", path, "does not support subscript"))


def resource_field_ref(value: Obj, at: str, out: Errors, *, volume: bool) -> None:
    """Check a reference to a container's resources and its divisor."""
    if volume and not value.get("containerName"):
        out.append(errors.required(f"{at}.containerName"))
    name = value.get("resource") or ""
    if not name:
        out.append(errors.required(f"{at}.resource"))
    elif name not in RESOURCE_FIELDS and not name.startswith(("limits.hugepages-", "requests.hugepages-")):
        out.append(errors.not_supported(f"{at}.resource", name, RESOURCE_FIELDS))
    _divisor(value, name, at, out)


def _divisor(value: Obj, name: str, at: str, out: Errors) -> None:
    """Check the divisor, whose allowed values depend on the resource."""
    divisor = value.get("divisor")
    if divisor is None or quantity.parse(divisor) == 0:
        return
    shown = quantity.canonical(str(divisor))
    if name in {"limits.cpu", "requests.cpu"} and shown not in DIVISORS["cpu"]:
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
    elif name in RESOURCE_FIELDS and not name.endswith("cpu") and shown not in DIVISORS["memory"]:
        kind = "memory" if name.endswith("memory") else "local ephemeral storage"
        text = f"only divisor's values {', '.join(DIVISORS['memory'])} are supported with the {kind} resource"
    else:
        return
    out.append(errors.invalid(f"{at}.divisor", name, text))


def env_from(values: Sequence[Obj], at: str, out: Errors) -> None:
    """Check whole ConfigMaps and Secrets taken in as variables."""
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        prefix = value.get("prefix") or ""
        if prefix:
            formatted(formats.env_var_name, prefix, f"{here}.prefix", out)
        given = 0
        for name in ("configMapRef", "secretRef"):
            ref = value.get(name)
            if ref is None:
                continue
            given += 1
            if not ref.get("name"):
                out.append(errors.required(f"{here}.{name}.name"))
            else:
                formatted(formats.dns_subdomain, ref["name"], f"{here}.{name}.name", out)
        if not given:
            out.append(errors.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif given > 1:
            out.append(errors.invalid(at, "", "may not have more than one field specified at a time"))
