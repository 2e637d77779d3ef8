"""ServiceAccount: every pod runs as one, and finds its token mounted.

As plugin/pkg/admission/serviceaccount: the account is ``default`` unless named, must exist,
lends its imagePullSecrets, and (unless pod or account opt out) brings a projected volume with
token, CA and namespace into every container that mounts nothing at that path itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import names
from kctl.api.errors import StatusError, forbidden
from kctl.api.objects import Key, Obj, annotations_of, dig
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

MIRROR = "kubernetes.io/config.mirror"
ENFORCE = "kubernetes.io/enforce-mountable-secrets"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
EXPIRATION = 60 * 60 + 7
SOURCES = [
    {"serviceAccountToken": {"expirationSeconds": EXPIRATION, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
        }
    },
]


def admit(server: APIServer, request: Request, pod: Obj, old: Obj | None) -> Obj:
    """Give a new pod its service account and the token volume."""
    if old is not None:
        return pod
    spec = pod.get("spec") or {}
    if MIRROR in annotations_of(pod):
        refuse_mirror(request, pod)
        return pod
    name = spec.get("serviceAccountName") or "default"
    account = server.storage.get("serviceaccounts", Key(request.namespace, name))
    if account is None:
        why = f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
        raise refused(pod, why)
    spec = {**spec, "serviceAccountName": name, "serviceAccount": name}
    if annotations_of(account).get(ENFORCE) == "true":
        check_secrets(pod, account)
    if wants_token(spec, account):
        identity = (
            f"{server.seed}/{request.namespace}/{pod['metadata'].get('name') or pod['metadata'].get('generateName')}"
        )
        spec = with_token(spec, "kube-api-access-" + names.suffix(identity, server.revision + 1))
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]
    return {**pod, "spec": spec}


def refused(pod: Obj, why: str) -> StatusError:
    """403 about the pod."""
    return forbidden("pods", shown_name(pod), why)


def refuse_mirror(request: Request, pod: Obj) -> None:
    """A mirror pod may not use what only the API server can give."""
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName"):
        raise refused(pod, "a mirror pod may not reference service accounts")
    for volume in spec.get("volumes") or ():
        if volume.get("secret"):
            raise refused(pod, "a mirror pod may not reference secrets")
        if any(source.get("serviceAccountToken") for source in dig(volume, "projected", "sources", default=())):
            raise refused(pod, "a mirror pod may not use ServiceAccountToken volume projections")


def wants_token(spec: Obj, account: Obj) -> bool:
    """Say whether the token is mounted: the pod's word counts before the account's."""
    for holder in (spec, account):
        asked = holder.get("automountServiceAccountToken")
        if asked is not None:
            return bool(asked)
    return True


def with_token(spec: Obj, volume: str) -> Obj:
    """Return the spec with the token volume, mounted where the path is free."""
    for found in spec.get("volumes") or ():
        if found.get("name", "").startswith("kube-api-access-") and dig(found, "projected", "sources"):
            volume = found["name"]
            break
    mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
    used = False
    out = dict(spec)
    for field in ("initContainers", "containers"):
        if field not in spec:
            continue
        containers = []
        for container in spec[field] or ():
            mounts = container.get("volumeMounts") or []
            if not any(m.get("mountPath") == MOUNT_PATH for m in mounts):
                container = {**container, "volumeMounts": [*mounts, mount]}
                used = True
            containers.append(container)
        out[field] = containers
    if used and not any(v.get("name") == volume for v in spec.get("volumes") or ()):
        token = {"name": volume, "projected": {"sources": SOURCES, "defaultMode": 0o644}}
        out["volumes"] = [*(spec.get("volumes") or ()), token]
    return out


def check_secrets(pod: Obj, account: Obj) -> None:
    """Refuse secrets that the account, asked to enforce it, does not list."""
    known = {s.get("name") for s in account.get("secrets") or ()}
    name = account["metadata"]["name"]
    tail = f"is not allowed because service account {name} does not reference that"
    spec = pod.get("spec") or {}
    for volume in spec.get("volumes") or ():
        secret = dig(volume, "secret", "secretName")
        if secret and secret not in known:
            raise refused(pod, f'volume with secret.secretName="{secret}" {tail} secret')
    for field, word in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(field) or ():
            for env in container.get("env") or ():
                secret = dig(env, "valueFrom", "secretKeyRef", "name")
                if secret and secret not in known:
                    where = f"{word} {container['name']} with envVar {env['name']}"
                    raise refused(pod, f'{where} referencing secret.secretName="{secret}" {tail} secret')
    pulls = {s.get("name") for s in account.get("imagePullSecrets") or ()}
    for n, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if secret.get("name") not in pulls:
            raise refused(pod, f'imagePullSecrets[{n}].name="{secret.get("name")}" {tail} imagePullSecret')
