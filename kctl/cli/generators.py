"""The objects that ``kctl create KIND`` makes from flags, field for field as kubectl makes them.

Pure: flags in, objects out. No creationTimestamp is written, as Kubernetes leaves it out since 1.34.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from kctl.api.errors import KctlError
from kctl.api.objects import Obj

HASH_LETTERS = {"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"}
"""Characters that kustomize and kubectl replace so that a hash spells nothing."""


def metadata(name: str, namespace: str | None, labels: Mapping[str, str] | None = None) -> Obj:
    """Return metadata; the namespace only when it was given."""
    out: Obj = {"name": name}
    if labels:
        out = {"labels": dict(labels), **out}
    return {**out, "namespace": namespace} if namespace else out


def config_map(name: str, namespace: str | None, data: Mapping[str, bytes], *, append_hash: bool = False) -> Obj:
    """Return a ConfigMap; what is no UTF-8 is binary data."""
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in data.items():
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    if append_hash:
        content: Obj = {"data": texts, "kind": "ConfigMap", "name": name}
        name += "-" + content_hash({**content, "binaryData": binary} if binary else content)
    out: Obj = {"apiVersion": "v1"}
    if binary:
        out["binaryData"] = binary
    if texts:
        out["data"] = texts
    return {**out, "kind": "ConfigMap", "metadata": metadata(name, namespace)}


def secret(
    name: str, namespace: str | None, data: Mapping[str, bytes], *, type_: str = "", append_hash: bool = False
) -> Obj:
    """Return a Secret."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    if append_hash:
        name += "-" + content_hash({"data": encoded, "kind": "Secret", "name": name, "type": type_})
    out: Obj = {"apiVersion": "v1"}
    if encoded:
        out["data"] = encoded
    out = {**out, "kind": "Secret", "metadata": metadata(name, namespace)}
    return {**out, "type": type_} if type_ else out


def content_hash(content: Obj) -> str:
    """Return the ten letters that stand for a content, as kustomize's hasher."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return "".join(HASH_LETTERS.get(letter, letter) for letter in digest)


def namespace(name: str) -> Obj:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, None), "spec": {}, "status": {}}


def service_account(name: str, namespace_: str | None) -> Obj:
    """Return a ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, namespace_)}


def deployment(
    name: str,
    namespace_: str | None,
    images: Sequence[str],
    *,
    replicas: int = 1,
    port: int = -1,
    command: Sequence[str] = (),
) -> Obj:
    """Return a Deployment with a container for each image."""
    if len(images) > 1 and command:
        raise KctlError("cannot specify multiple --image options and command")
    labels = {"app": name}
    containers = [_container(image, command) for image in images]
    if port >= 0:
        containers[0]["ports"] = [{"containerPort": port}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, namespace_, labels),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
        "status": {},
    }


def _container(image: str, command: Sequence[str]) -> Obj:
    out: Obj = {"command": list(command)} if command else {}
    return {**out, "image": image, "name": container_name(image), "resources": {}}


def container_name(image: str) -> str:
    """Return the name of an image without registry, tag and digest.

    kubectl adds random letters where it has to replace characters; here they come from the image.
    """
    name = image.rsplit("/", 1)[-1].split(":", maxsplit=1)[0].split("@", maxsplit=1)[0]
    if "_" not in name and "." not in name:
        return name
    suffix = "".join(HASH_LETTERS.get(letter, letter) for letter in hashlib.sha256(image.encode()).hexdigest()[:5])
    return f"{name.replace('_', '-').replace('.', '-')}-{suffix}"


def service(
    name: str,
    namespace_: str | None,
    type_: str,
    tcp: Sequence[str],
    *,
    cluster_ip: str = "",
    node_port: int = 0,
    external_name: str = "",
) -> Obj:
    """Return a Service that selects ``app: NAME``."""
    if cluster_ip == "None" and type_ != "ClusterIP":
        raise KctlError("ClusterIP=None can only be used with ClusterIP service type")
    if cluster_ip != "None" and not tcp and type_ != "ExternalName":
        raise KctlError("at least one tcp port specifier must be provided")
    spec: Obj = {"clusterIP": cluster_ip} if cluster_ip else {}
    if external_name:
        spec["externalName"] = external_name
    if tcp:
        spec["ports"] = [_port(text, node_port) for text in tcp]
    spec |= {"selector": {"app": name}, "type": type_}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace_, {"app": name}),
        "spec": spec,
        "status": {"loadBalancer": {}},
    }


def _port(text: str, node_port: int) -> Obj:
    from kctl.api.validation.formats import port_name, port_number

    first, colon, second = text.partition(":")
    if not first.isascii() or not first.isdigit():
        raise KctlError(f'strconv.ParseUint: parsing "{first}": invalid syntax')
    port = int(first)
    if port > 65535:
        raise KctlError(f'strconv.ParseUint: parsing "{first}": value out of range')
    target: int | str = port
    if colon:
        second = second.split(":")[0]
        target = int(second) if second.isascii() and second.lstrip("-").isdigit() else second
        wrong = port_number(target) if isinstance(target, int) else port_name(target)
        if wrong:
            raise KctlError(",".join(wrong))
    out: Obj = {"name": text.replace(":", "-")}
    if node_port:
        out["nodePort"] = node_port
    return {**out, "port": port, "protocol": "TCP", "targetPort": target}
