"""serviceaccount-token-controller: fills Secrets that ask for a token of a ServiceAccount.

In: Secrets of type ``kubernetes.io/service-account-token``, the ServiceAccounts they name. Out: token, namespace and
``ca.crt`` in each; a Secret whose ServiceAccount is not there, or is another by now, is deleted. The token is one the
API server issues for the Secret and takes no more once the Secret is gone; upstream's is of an older form, signed by
the controller itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.objects import Key, Obj, annotations_of, evolve, key_of
from kctl.client.cache import Cache, Caches, Index
from kctl.client.client import Client
from kctl.controllers.rootca import DATA as ROOT_CA
from kctl.runtime.actions import Delete, Update
from kctl.runtime.controller import Controller, Decision, Watch

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"
SECONDS = 2**32
"""How long a token is good: the longest that may be asked for."""


class Seen(NamedTuple):
    """A Secret that asks for a token, and the ServiceAccount it names."""

    secret: Obj
    account: Obj | None


class ServiceAccountTokenController(Controller):
    """Keeps the Secrets that hold tokens of ServiceAccounts."""

    name = "serviceaccount-token-controller"
    user = "system:kube-controller-manager"
    level = 10
    writes = ("secrets", "serviceaccounts")

    def __init__(self) -> None:
        self.watches = (Watch("secrets", _keys_of_secret), Watch("serviceaccounts", _keys_of_account))

    def prepare(self, caches: Caches) -> None:
        """Register the index of Secrets by the ServiceAccount they name."""
        _by_account(caches["secrets"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a Secret that asks for a token."""
        secret = caches["secrets"].get(key)
        if secret is None:
            return None
        (account,) = _named(secret) or (None,)
        return Seen(secret, caches["serviceaccounts"].get(account)) if account is not None else None

    def decide(self, seen: Seen, now: float) -> Decision:
        """Fill in what is missing, or delete what belongs to nobody, as syncSecret."""
        secret, account = seen.secret, seen.account
        meta = secret["metadata"]
        uid = annotations_of(secret).get(UID)
        if account is None or (uid and uid != account["metadata"]["uid"]):
            return Decision((Delete("secrets", key_of(secret), meta["uid"]),))
        data = secret.get("data") or {}
        filled = {
            **data,
            "ca.crt": _encoded(ROOT_CA["ca.crt"]),
            "namespace": data.get("namespace") or _encoded(meta["namespace"]),
        }
        if data.get("token") and filled == data:
            return Decision()
        annotations = {NAME: account["metadata"]["name"], UID: account["metadata"]["uid"]}
        return Decision(
            (Update("secrets", evolve({**secret, "data": filled}, {"metadata": {"annotations": annotations}})),)
        )

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; where a token is missing, the API server is asked for one."""
        for action in decision.actions:
            if isinstance(action, Update) and not action.obj["data"].get("token"):
                token = _encoded(_token(client, action.obj))
                action = action._replace(obj=evolve(action.obj, {"data": {"token": token}}))
            super().act(client, Decision((action,)), now)


def _token(client: Client, secret: Obj) -> str:
    meta = secret["metadata"]
    bound = {"apiVersion": "v1", "kind": "Secret", "name": meta["name"], "uid": meta["uid"]}
    request: Obj = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": meta["annotations"][NAME], "namespace": meta["namespace"]},
        "spec": {"expirationSeconds": SECONDS, "boundObjectRef": bound},
    }
    answer = client.create("serviceaccounts", request, subresource="token")
    return str(answer["status"]["token"])


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _named(secret: Obj) -> tuple[Key, ...]:
    """Return the ServiceAccount a Secret asks for a token of."""
    name = annotations_of(secret).get(NAME)
    return (Key(key_of(secret).namespace, name),) if name and secret.get("type") == TYPE else ()


def _by_account(secrets: Cache) -> Index:
    return secrets.index("service account", _named)


def _keys_of_secret(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    return (key_of(new),) if new is not None and _named(new) else ()


def _keys_of_account(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the Secrets of a ServiceAccount that came or went."""
    account = new or old
    if account is None or (old is not None and new is not None):
        return ()
    return [key_of(secret) for secret in _by_account(caches["secrets"]).get(key_of(account))]
