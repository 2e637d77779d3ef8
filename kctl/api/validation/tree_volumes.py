"""Validation of the volume sources that once were part of Kubernetes itself.

In comes one source of a pod's volume, or of a PersistentVolume, which needs a namespace with the
names of its Secrets; complaints are appended as the functions of core validation order them
(validateISCSIVolumeSource and those beside it).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.mounted_paths import inside

Rule = Callable[[Obj, str, Errors], None]
INITIATORS = {
    "iqn": r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$",
    "eui": r"eui\.[A-Za-z0-9]{16}$",
    "naa": r"naa\.[A-Za-z0-9]{32}$",
}
"""The names of iSCSI initiators, by their type."""
PARTITION = "must be between 0 and 255, inclusive"
HOST_PORT = "must be a host:port pair or multiple pairs separated by commas"
CACHING = ("None", "ReadOnly", "ReadWrite")
DISKS = ("Dedicated", "Managed", "Shared")
MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def needs(*names: str) -> Rule:
    """Return the rule that these fields must be set."""

    def rule(value: Obj, at: str, out: Errors) -> None:
        for name in names:
            if not value.get(name):
                out.append(errors.required(f"{at}.{name}"))

    return rule


def secret_name(value: Obj, at: str, out: Errors, *, namespaced: bool) -> None:
    """Check that a reference to a Secret says which."""
    reference = value.get("secretRef")
    if reference is not None:
        for field in ("name", "namespace") if namespaced else ("name",):
            if not reference.get(field):
                out.append(errors.required(f"{at}.secretRef.{field}"))


def git_repo(value: Obj, at: str, out: Errors) -> None:
    """Check a Git repository and where it is cloned to."""
    if not value.get("repository"):
        out.append(errors.required(f"{at}.repository"))
    inside(value.get("directory") or "", f"{at}.directory", out)


def partitioned(name: str) -> Rule:
    """Return the rule of a disk of a cloud: its name, and a partition."""

    def rule(value: Obj, at: str, out: Errors) -> None:
        if not value.get(name):
            out.append(errors.required(f"{at}.{name}"))
        partition = value.get("partition") or 0
        if not 0 <= partition <= 255:
            out.append(errors.invalid(f"{at}.partition", partition, PARTITION))

    return rule


def nfs(value: Obj, at: str, out: Errors) -> None:
    """Check an NFS share."""
    path = value.get("path") or ""
    needs("server", "path")(value, at, out)
    if not path.startswith("/"):
        out.append(errors.invalid(f"{at}.path", path, "must be an absolute path"))


def iscsi(value: Obj, at: str, out: Errors) -> None:
    """Check an iSCSI target."""
    if not value.get("targetPortal"):
        out.append(errors.required(f"{at}.targetPortal"))
    iqn = value.get("iqn") or ""
    if not iqn:
        out.append(errors.required(f"{at}.iqn"))
    else:
        _initiator(iqn, f"{at}.iqn", out)
    lun = value.get("lun") or 0
    if not 0 <= lun <= 255:
        out.append(errors.invalid(f"{at}.lun", lun, formats.in_range(0, 255)))
    secret = value.get("secretRef")
    if (value.get("chapAuthDiscovery") or value.get("chapAuthSession")) and secret is None:
        out.append(errors.required(f"{at}.secretRef"))
    if secret is not None and not secret.get("name"):
        out.append(errors.required(f"{at}.secretRef.name"))
    if value.get("initiatorName") is not None:
        _initiator(value["initiatorName"], f"{at}.initiatorname", out)


def _initiator(name: str, at: str, out: Errors) -> None:
    """Check the name of an iSCSI node."""
    pattern = INITIATORS.get(name[:3])
    if pattern is None or not re.match(pattern, name):
        out.append(errors.invalid(at, name, "must be valid format"))


def glusterfs_volume(value: Obj, at: str, out: Errors) -> None:
    """Check a GlusterFS volume of a PersistentVolume."""
    needs("endpoints", "path")(value, at, out)
    namespace = value.get("endpointsNamespace")
    if namespace == "":
        text = "if the endpointnamespace is set, it must be a valid namespace name"
        out.append(errors.invalid(f"{at}.endpointsNamespace", namespace, text))
    elif namespace is not None:
        formatted(formats.dns_label, namespace, f"{at}.endpointsNamespace", out)


def flocker(value: Obj, at: str, out: Errors) -> None:
    """Check a Flocker dataset: by name or by UUID."""
    name, uuid = value.get("datasetName") or "", value.get("datasetUUID") or ""
    if not name and not uuid:
        out.append(errors.required(at, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        text = "datasetName and datasetUUID can not be specified simultaneously"
        out.append(errors.invalid(at, "resource", text))
    if "/" in name:
        out.append(errors.invalid(f"{at}.datasetName", name, "must not contain '/'"))


def cinder(*, namespaced: bool) -> Rule:
    """Return the rule of a Cinder volume."""

    def rule(value: Obj, at: str, out: Errors) -> None:
        needs("volumeID")(value, at, out)
        secret_name(value, at, out, namespaced=namespaced)

    return rule


def quobyte(value: Obj, at: str, out: Errors) -> None:
    """Check a Quobyte volume and where its registry is."""
    registry, here = value.get("registry") or "", f"{at}.registry"
    if not registry:
        out.append(errors.required(here, HOST_PORT))
    elif formats.size(value.get("tenant") or "") >= 65:
        text = "must be a UUID and may not exceed a length of 64 characters"
        out.append(errors.required(f"{at}.tenant", text))
    else:
        out += [errors.invalid(here, registry, HOST_PORT) for pair in registry.split(",") if not _host_port(pair)]
    if not value.get("volume"):
        out.append(errors.required(f"{at}.volume"))


def _host_port(text: str) -> bool:
    """Say whether net.SplitHostPort takes a text: one colon, or an address in brackets before it."""
    host, colon, port = text.rpartition(":")
    if host.startswith("["):
        return host.endswith("]") and bool(colon) and not set("[]") & set(host[1:-1] + port)
    return bool(colon) and not set("[]:") & set(host + port)


def fibre_channel(value: Obj, at: str, out: Errors) -> None:
    """Check a Fibre Channel volume: by world wide names and lun, or by identifiers."""
    names, ids, here = value.get("targetWWNs") or [], value.get("wwids") or [], f"{at}.targetWWNs"
    if not names and not ids:
        out.append(errors.required(here, "must specify either targetWWNs or wwids, but not both"))
    if names and ids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        out.append(errors.invalid(here, names, text))
    if names:
        lun = value.get("lun")
        if lun is None:
            out.append(errors.required(f"{at}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= 255:
            out.append(errors.invalid(f"{at}.lun", lun, formats.in_range(0, 255)))


def flex(value: Obj, at: str, out: Errors) -> None:
    """Check a FlexVolume: its driver, and that its options keep out of Kubernetes' own names."""
    needs("driver")(value, at, out)
    for key in value.get("options") or {}:
        domain = f".{key.partition('/')[0].lower()}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            out.append(errors.invalid(f"{at}.options[{key}]", key, text))


def azure_disk(value: Obj, at: str, out: Errors) -> None:
    """Check an Azure disk: what kind it is says what its URI looks like."""
    needs("diskName", "diskURI")(value, at, out)
    caching, kind, uri = value.get("cachingMode"), value.get("kind"), value.get("diskURI") or ""
    if caching is not None and caching not in CACHING:
        out.append(errors.not_supported(f"{at}.cachingMode", caching, CACHING))
    if kind is not None and kind not in DISKS:
        out.append(errors.not_supported(f"{at}.kind", kind, DISKS))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        out.append(errors.not_supported(f"{at}.diskURI", uri, (MANAGED,)))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        out.append(errors.not_supported(f"{at}.diskURI", uri, (BLOB,)))


def azure_file_volume(value: Obj, at: str, out: Errors) -> None:
    """Check an Azure share of a PersistentVolume."""
    needs("secretName", "shareName")(value, at, out)
    if value.get("secretNamespace") == "":
        out.append(errors.required(f"{at}.secretNamespace"))


def storage_os(*, namespaced: bool) -> Rule:
    """Return the rule of a StorageOS volume."""

    def rule(value: Obj, at: str, out: Errors) -> None:
        name, namespace = value.get("volumeName") or "", value.get("volumeNamespace") or ""
        if not name:
            out.append(errors.required(f"{at}.volumeName"))
        else:
            formatted(formats.dns_label, name, f"{at}.volumeName", out)
        if namespace:
            formatted(formats.dns_label, namespace, f"{at}.volumeNamespace", out)
        secret_name(value, at, out, namespaced=namespaced)

    return rule


SHARED: dict[str, Rule] = {
    "gcePersistentDisk": partitioned("pdName"),
    "awsElasticBlockStore": partitioned("volumeID"),
    "nfs": nfs,
    "iscsi": iscsi,
    "flocker": flocker,
    "rbd": needs("monitors", "image"),
    "cephfs": needs("monitors"),
    "quobyte": quobyte,
    "fc": fibre_channel,
    "flexVolume": flex,
    "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"),
    "portworxVolume": needs("volumeID"),
    "azureDisk": azure_disk,
    "scaleIO": needs("gateway", "system", "volumeName"),
}
"""The sources that are alike for pods and PersistentVolumes."""
OF_PODS: dict[str, Rule] = {
    **SHARED,
    "gitRepo": git_repo,
    "glusterfs": needs("endpoints", "path"),
    "cinder": cinder(namespaced=False),
    "azureFile": needs("secretName", "shareName"),
    "storageos": storage_os(namespaced=False),
}
OF_VOLUMES: dict[str, Rule] = {
    **SHARED,
    "glusterfs": glusterfs_volume,
    "cinder": cinder(namespaced=True),
    "azureFile": azure_file_volume,
    "storageos": storage_os(namespaced=True),
}
