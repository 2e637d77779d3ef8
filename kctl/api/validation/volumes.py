"""Validation of the volumes of a pod.

In comes ``spec.volumes``; complaints are appended as ValidateVolumes and validateVolumeSource
(core validation) order them, and the volumes that mounts may name come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import environment, formats, meta, tree_volumes
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.mounted_paths import local_path, no_backsteps
from kctl.api.validation.tree_volumes import Rule

FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
HOST_PATH_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
TOO_LONG_TOGETHER = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."
MORE_THAN_ONE = "may not specify more than 1 volume type"


def volumes(values: Sequence[Obj], at: str, out: Errors) -> dict[str, Obj]:
    """Check the volumes and return the well-named ones by name."""
    known: dict[str, Obj] = {}
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        name = value.get("name") or ""
        found: Errors = []
        _source(value, here, found)
        if not name:
            found.append(errors.required(f"{here}.name"))
        else:
            formatted(formats.dns_label, name, f"{here}.name", found)
        if name in known:
            found.append(errors.duplicate(f"{here}.name", name))
        if found:
            out += found
        else:
            known[name] = value
    return known


def _source(value: Obj, at: str, out: Errors) -> None:
    """Check that a volume has one source, and that one."""
    given = [name for name in RULES if value.get(name) is not None]
    for n, name in enumerate(given):
        if n:
            out.append(errors.forbidden_field(f"{at}.{name}", MORE_THAN_ONE))
        else:
            RULES[name](value[name], f"{at}.{name}", out)
    if not given:
        out.append(errors.required(at, "must specify a volume type"))
    iscsi = value.get("iscsi") or {}
    if iscsi.get("initiatorName") is not None:
        name = value.get("name") or ""
        if formats.size(f"{name}:{iscsi.get('targetPortal') or ''}") > 64:
            out.append(errors.invalid(f"{at}.name", name, TOO_LONG_TOGETHER))


def _empty_dir(value: Obj, at: str, out: Errors) -> None:
    """Check the size limit and medium."""
    limit = value.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        out.append(errors.forbidden_field(f"{at}.sizeLimit", "SizeLimit field must be a valid resource quantity"))


def host_path(value: Obj, at: str, out: Errors) -> None:
    """Check a path of the node and what it must be."""
    path = value.get("path") or ""
    if not path:
        out.append(errors.required(f"{at}.path"))
    else:
        no_backsteps(path, f"{at}.path", out)
    kind = value.get("type")
    if kind and kind not in HOST_PATH_TYPES:
        out.append(errors.not_supported(f"{at}.type", kind, sorted({"", *HOST_PATH_TYPES})))


def _mode(value: Obj, name: str, at: str, out: Errors) -> None:
    """Check the permission bits of files."""
    mode: Any = value.get(name)
    if mode is not None and not 0 <= mode <= 0o777:
        out.append(errors.invalid(f"{at}.{name}", mode, FILE_MODE))


def _key_to_path(value: Obj, at: str, out: Errors) -> None:
    """Check one item of a ConfigMap or Secret volume."""
    if not value.get("key"):
        out.append(errors.required(f"{at}.key"))
    path = value.get("path") or ""
    if not path:
        out.append(errors.required(f"{at}.path"))
    local_path(path, f"{at}.path", out)
    _mode(value, "mode", at, out)


def _secret(value: Obj, at: str, out: Errors) -> None:
    """Check a Secret volume."""
    if not value.get("secretName"):
        out.append(errors.required(f"{at}.secretName"))
    _mode(value, "defaultMode", at, out)
    for n, item in enumerate(value.get("items") or ()):
        _key_to_path(item, f"{at}.items[{n}]", out)


def _config_map(value: Obj, at: str, out: Errors) -> None:
    """Check a ConfigMap volume."""
    if not value.get("name"):
        out.append(errors.required(f"{at}.name"))
    _mode(value, "defaultMode", at, out)
    for n, item in enumerate(value.get("items") or ()):
        _key_to_path(item, f"{at}.items[{n}]", out)


def _downward(value: Obj, at: str, out: Errors) -> None:
    """Check a downward API volume; upstream reports its files without an index."""
    _mode(value, "defaultMode", at, out)
    for item in value.get("items") or ():
        _downward_file(item, at, out)


def _downward_file(value: Obj, at: str, out: Errors) -> None:
    """Check one file of the downward API."""
    path = value.get("path") or ""
    if not path:
        out.append(errors.required(f"{at}.path"))
    local_path(path, f"{at}.path", out)
    field, resource = value.get("fieldRef"), value.get("resourceFieldRef")
    if field is not None:
        environment.field_ref(field, environment.VOLUME_FIELDS, f"{at}.fieldRef", out, downward=True)
        if resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            out.append(errors.invalid(at, "resource", text))
    elif resource is not None:
        environment.resource_field_ref(resource, f"{at}.resourceFieldRef", out, volume=True)
    else:
        out.append(errors.required(at, "one of fieldRef and resourceFieldRef is required"))
    _mode(value, "mode", at, out)


def _projected(value: Obj, at: str, out: Errors) -> None:
    """Check projected sources: one each, and no path twice."""
    _mode(value, "defaultMode", at, out)
    paths: set[str] = set()
    for n, source in enumerate(value.get("sources") or ()):
        here = f"{at}.sources[{n}]"
        given = [name for name in PROJECTIONS if source.get(name) is not None]
        for m, name in enumerate(given):
            if m:
                out.append(errors.forbidden_field(f"{here}.{name}", MORE_THAN_ONE))
            else:
                PROJECTIONS[name](source[name], f"{here}.{name}", out)
        if not given:
            out.append(errors.required(here, "must specify one of the volume types"))
        for path, shown in _paths(source):
            if path in paths:
                out.append(errors.invalid(at, shown, "conflicting duplicate paths"))
            paths.add(path)


def _paths(source: Obj) -> list[tuple[str, str]]:
    """Return the paths a projected source writes, each with what a complaint about it shows."""
    out: list[tuple[str, str]] = []
    for name in ("secret", "configMap", "downwardAPI"):
        part = source.get(name) or {}
        for item in part.get("items") or ():
            path = item.get("path") or ""
            out.append((path, path if name == "downwardAPI" else part.get("name") or ""))
    token = source.get("serviceAccountToken")
    return [*out, (token.get("path") or "", token.get("path") or "")] if token else out


def _projected_keys(value: Obj, at: str, out: Errors) -> None:
    """Check a projected Secret or ConfigMap."""
    if not value.get("name"):
        out.append(errors.required(f"{at}.name"))
    for n, item in enumerate(value.get("items") or ()):
        _key_to_path(item, f"{at}.items[{n}]", out)


def _projected_downward(value: Obj, at: str, out: Errors) -> None:
    """Check a projected downward API source."""
    for item in value.get("items") or ():
        _downward_file(item, at, out)


def _token(value: Obj, at: str, out: Errors) -> None:
    """Check a projected service account token."""
    seconds = value.get("expirationSeconds") or 0
    if seconds < 600:
        out.append(
            errors.invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        )
    if seconds > 1 << 32:
        out.append(
            errors.invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    path = value.get("path") or ""
    if not path:
        out.append(errors.required(f"{at}.path"))
    else:
        local_path(path, f"{at}.path", out)


def _ephemeral(value: Obj, at: str, out: Errors) -> None:
    """Check the claim that comes with a volume."""
    template = value.get("volumeClaimTemplate")
    if template is None:
        out.append(errors.required(f"{at}.volumeClaimTemplate"))
        return
    from kctl.api.validation import storage

    _claim_metadata(template.get("metadata") or {}, f"{at}.volumeClaimTemplate.metadata", out)
    storage.claim_spec(template.get("spec") or {}, f"{at}.volumeClaimTemplate.spec", out)


METADATA = (
    *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"),
)


def _claim_metadata(value: Obj, at: str, out: Errors) -> None:
    """Check that a claim's template has labels and annotations alone."""
    meta.check_annotations(value.get("annotations"), f"{at}.annotations", out)
    meta.labels(value.get("labels"), f"{at}.labels", out)
    for name in METADATA:
        if value.get(name):
            out.append(errors.forbidden_field(f"{at}.{name}", "cannot be set for an ephemeral volume"))


def _csi(value: Obj, at: str, out: Errors) -> None:
    """Check an inline CSI volume."""
    driver = value.get("driver") or ""
    if not driver:
        out.append(errors.required(f"{at}.driver"))
    elif formats.size(driver) > 63:
        out.append(errors.too_long(f"{at}.driver", driver, 63))
    else:
        formatted(formats.dns_subdomain, driver.lower(), f"{at}.driver", out)
    secret = value.get("nodePublishSecretRef")
    if secret is not None and not secret.get("name"):
        out.append(errors.required(f"{at}.nodePublishSecretRef.name"))
    elif secret is not None:
        formatted(formats.dns_subdomain, secret["name"], f"{at}.nodePublishSecretRef.name", out)


def _image(value: Obj, at: str, out: Errors) -> None:
    """Check an image volume."""
    if not value.get("reference"):
        out.append(errors.required(f"{at}.reference"))
    policy = value.get("pullPolicy") or ""
    if policy not in {"Always", "IfNotPresent", "Never"}:
        out.append(errors.not_supported(f"{at}.pullPolicy", policy, ("Always", "IfNotPresent", "Never")))


def _claim(value: Obj, at: str, out: Errors) -> None:
    """Check a claim by name."""
    if not value.get("claimName"):
        out.append(errors.required(f"{at}.claimName"))


OWN: dict[str, Rule] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "secret": _secret,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
ORDER = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc"),
    *("flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume"),
    *("azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral", "image"),
)
RULES: dict[str, Rule] = {name: OWN.get(name) or tree_volumes.OF_PODS[name] for name in ORDER}
"""The rule of each source, in the order upstream looks for them."""
PROJECTIONS: dict[str, Rule] = {
    "secret": _projected_keys,
    "configMap": _projected_keys,
    "downwardAPI": _projected_downward,
    "serviceAccountToken": _token,
    "clusterTrustBundle": tree_volumes.needs("path"),
    "podCertificate": tree_volumes.needs("signerName", "keyType"),
}
