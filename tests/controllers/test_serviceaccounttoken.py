"""serviceaccount-token-controller: its decisions by table, and a plane where its tokens are good."""

from __future__ import annotations

from base64 import b64decode

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver import tokens
from kctl.controllers.serviceaccounttoken import NAME, TYPE, UID, Seen, ServiceAccountTokenController
from kctl.plane.plane import ControlPlane
from kctl.runtime.actions import Delete, Update

ACCOUNT: Obj = {"metadata": {"name": "robot", "namespace": "default", "uid": "u-1"}}


def secret(uid: str = "", **data: str) -> Obj:
    annotations = {NAME: "robot", **({UID: uid} if uid else {})}
    meta = {"name": "s", "namespace": "default", "uid": "u-9", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": meta, **({"data": data} if data else {})}


@pytest.mark.parametrize(
    ("found", "account", "becomes"),
    [
        pytest.param(secret(), ACCOUNT, "filled", id="empty"),
        pytest.param(secret("u-1"), ACCOUNT, "filled", id="bound already"),
        pytest.param(secret("u-0"), ACCOUNT, "deleted", id="of an account that was made anew"),
        pytest.param(secret(), None, "deleted", id="of no account"),
        pytest.param(secret("u-1", token="dA==", namespace="bg=="), ACCOUNT, "filled", id="without the certificate"),
    ],
)
def test_a_secret_is_filled_or_deleted(found: Obj, account: Obj | None, becomes: str) -> None:
    (action,) = ServiceAccountTokenController().decide(Seen(found, account), 0.0).actions
    if becomes == "deleted":
        assert action == Delete("secrets", Key("default", "s"), "u-9")
        return
    assert isinstance(action, Update)
    assert action.obj["metadata"]["annotations"] == {NAME: "robot", UID: "u-1"}
    assert action.obj["data"].keys() >= {"ca.crt", "namespace"}
    whole = {**action.obj, "data": {**action.obj["data"], "token": "dA=="}}
    assert not ServiceAccountTokenController().decide(Seen(whole, ACCOUNT), 0.0).actions


def test_a_token_in_a_secret_is_good_until_the_account_goes_and_takes_the_secret_along() -> None:
    with ControlPlane.open(None) as plane:
        client = plane.client
        client.create(
            "serviceaccounts",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": "default"}},
        )
        asked = secret()
        client.create("secrets", {**asked, "metadata": {k: v for k, v in asked["metadata"].items() if k != "uid"}})
        plane.run()
        token = b64decode(client.get("secrets", "default", "s")["data"]["token"]).decode()
        identity = tokens.authenticate(plane.server, token)
        assert identity is not None
        assert identity.username == "system:serviceaccount:default:robot"
        client.delete("serviceaccounts", Key("default", "robot"))
        plane.run()
        with pytest.raises(StatusError, match="not found"):
            client.get("secrets", "default", "s")
        with pytest.raises(tokens.InvalidToken):
            tokens.authenticate(plane.server, token)
