"""serviceaccounts/token: what is asked, what the token says, and when it is good no more."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import KctlError
from kctl.api.objects import Key, Obj
from kctl.apiserver import jwt, tokens
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

PATH = "/api/v1/namespaces/default/serviceaccounts/default/token"


def ask(server: APIServer, spec: Obj | None = None, path: str = PATH, **meta: str) -> tuple[int, Obj]:
    body: Obj = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec or {}}
    if meta:
        body["metadata"] = meta
    answer = server.http("POST", path, json.dumps(body), "application/json")
    return answer.status, json.loads(answer.body)


def token(server: APIServer, spec: Obj | None = None) -> str:
    status, body = ask(server, spec)
    assert status == 201, body
    return str(body["status"]["token"])


def pod(client: LocalClient, name: str = "p", node: str = "") -> Obj:
    spec: Obj = {"containers": [{"name": "c", "image": "i"}], **({"nodeName": node} if node else {})}
    meta = {"name": name, "namespace": "default"}
    return client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def test_a_token_lives_an_hour_and_is_for_the_api_server_unless_asked(server: APIServer, clock: FixedClock) -> None:
    status, body = ask(server)
    assert status == 201
    assert body["spec"] == {"audiences": [tokens.ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    said = jwt.unverified(body["status"]["token"])
    now = int(clock.now())
    assert (said["iat"], said["nbf"], said["exp"]) == (now, now, now + 3600)
    assert (said["iss"], said["aud"]) == (tokens.ISSUER, [tokens.ISSUER])
    assert said["sub"] == "system:serviceaccount:default:default"
    account = server.storage.objects("serviceaccounts")[Key("default", "default")]
    uid = account["metadata"]["uid"]
    assert said["kubernetes.io"] == {"namespace": "default", "serviceaccount": {"name": "default", "uid": uid}}


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        pytest.param(
            {"expirationSeconds": 599},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: '
            "may not specify a duration less than 10 minutes",
            id="too short",
        ),
        pytest.param(
            {"expirationSeconds": 2**32 + 1},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: '
            "may not specify a duration larger than 2^32 seconds",
            id="too long",
        ),
        pytest.param(
            {"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
            id="bound to another kind",
        ),
        pytest.param(
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "x"}},
            404,
            'pods "x" not found',
            id="bound to nothing",
        ),
        pytest.param(
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "other"}},
            409,
            'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (other) does not match '
            "the UID in record. The object might have been deleted and then recreated",
            id="bound to one of another uid",
        ),
    ],
)
def test_what_cannot_be_issued_is_refused_in_upstreams_words(
    server: APIServer, client: LocalClient, spec: Obj, code: int, message: str
) -> None:
    pod(client)
    status, body = ask(server, spec)
    assert (status, body["message"]) == (code, message)


def test_the_body_may_not_name_another_account(server: APIServer) -> None:
    status, body = ask(server, name="other")
    assert status == 422
    assert "must match the service account name if specified" in body["message"]


def test_an_account_that_is_not_there_gets_none(server: APIServer) -> None:
    status, body = ask(server, path=PATH.replace("default/token", "nobody/token"))
    assert (status, body["message"]) == (404, 'serviceaccounts "nobody" not found')


def test_a_token_is_known_again_with_all_it_says(server: APIServer, client: LocalClient) -> None:
    bound = pod(client, node="n1")
    ref = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    found = tokens.authenticate(server, token(server, {"boundObjectRef": ref}))
    assert found is not None
    assert found.username == "system:serviceaccount:default:default"
    assert found.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert found.extra["authentication.kubernetes.io/pod-name"] == ["p"]
    assert found.extra["authentication.kubernetes.io/pod-uid"] == [bound["metadata"]["uid"]]
    assert found.extra["authentication.kubernetes.io/node-name"] == ["n1"]
    assert found.audiences == (tokens.ISSUER,)


def test_a_token_is_good_until_its_time_and_the_leeway_are_over(server: APIServer, clock: FixedClock) -> None:
    made = token(server, {"expirationSeconds": 600})
    clock.set(clock.now() + 600 + tokens.LEEWAY)
    assert tokens.authenticate(server, made) is not None
    clock.set(clock.now() + 1)
    with pytest.raises(tokens.InvalidToken, match="service account token has expired"):
        tokens.authenticate(server, made)


def test_a_pods_token_of_an_hour_is_good_for_a_year_and_says_when_to_warn(
    server: APIServer, client: LocalClient, clock: FixedClock
) -> None:
    pod(client)
    ref = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    status, body = ask(server, {"expirationSeconds": tokens.WARN_AFTER, "boundObjectRef": ref})
    assert status == 201
    said, now = jwt.unverified(body["status"]["token"]), int(clock.now())
    assert said["exp"] == now + tokens.EXTENDED
    assert said["kubernetes.io"]["warnafter"] == now + tokens.WARN_AFTER


@pytest.mark.parametrize(
    ("kind", "why"),
    [("Pod", "service account token has been invalidated"), ("", 'serviceaccounts "default" not found')],
)
def test_a_token_ends_with_what_it_is_bound_to(server: APIServer, client: LocalClient, kind: str, why: str) -> None:
    pod(client)
    made = token(server, {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}} if kind else {})
    client.delete("pods" if kind else "serviceaccounts", Key("default", "p" if kind else "default"))
    with pytest.raises(tokens.InvalidToken, match=why):
        tokens.authenticate(server, made)


def test_an_account_made_anew_does_not_take_the_tokens_of_the_former(server: APIServer, client: LocalClient) -> None:
    made = token(server)
    client.delete("serviceaccounts", Key("default", "default"))
    meta = {"name": "default", "namespace": "default"}
    client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    with pytest.raises(tokens.InvalidToken, match=r"service account UID .* does not match claim"):
        tokens.authenticate(server, made)


def test_a_token_for_somebody_else_is_not_for_the_api_server(server: APIServer) -> None:
    made = token(server, {"audiences": ["vault"]})
    with pytest.raises(
        tokens.InvalidToken, match=r'token audiences \["vault"\] is invalid for the target audiences \["https'
    ):
        tokens.authenticate(server, made)
    found = tokens.authenticate(server, made, ["vault", "other"])
    assert found is not None
    assert found.audiences == ("vault",)


def _forged(made: str) -> str:
    head, body, signature = made.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "system:serviceaccount:kube-system:admin"
    return ".".join((head, jwt.encoded(json.dumps(claims).encode()), signature))


def _unsigned(made: str) -> str:
    return ".".join((jwt.encoded(b'{"alg":"none"}'), made.split(".")[1], ""))


@pytest.mark.parametrize("change", [_forged, _unsigned, lambda made: made[:-4] + "AAAA"])
def test_a_token_that_was_tampered_with_is_not_good(server: APIServer, change: object) -> None:
    assert callable(change)
    with pytest.raises(tokens.InvalidToken):
        tokens.authenticate(server, change(token(server)))


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", "é.é.é", "..", "e30.e30.", "bnVsbA.bnVsbA.bnVsbA", "abcdef.0123456789abcdef"]
)
def test_what_is_no_token_of_this_issuer_is_somebody_elses_to_judge(server: APIServer, text: str) -> None:
    assert tokens.authenticate(server, text) is None


def test_a_cluster_in_memory_signs_the_same_claims_alike(clock: FixedClock) -> None:
    def made(seed: int) -> str:
        server = APIServer(MemoryStore(), clock=clock, seed=seed)
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        LocalClient(server).create("serviceaccounts", account)
        return token(server)

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_the_key_of_a_folder_is_random_kept_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, again, other = (jwt.key_of(tmp_path / name, 0) for name in "aab")
    assert first.kid == again.kid != other.kid
    kept = tmp_path / "a" / jwt.FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == [jwt.FILE]


def test_a_key_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / jwt.FILE).write_text("not a key")
    with pytest.raises(KctlError, match=f"{jwt.FILE}: this is no private key"):
        jwt.key_of(tmp_path, 0)


def test_the_public_key_is_a_jwk_that_verifies_the_tokens(server: APIServer) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    (entry,) = tokens.key_set(server)["keys"]
    made = token(server)
    text, _, signature = made.rpartition(".")
    assert json.loads(raw(made.split(".")[0])) == {"alg": "ES256", "kid": entry["kid"]}
    numbers = ec.EllipticCurvePublicNumbers(*(int.from_bytes(raw(entry[c]), "big") for c in "xy"), ec.SECP256R1())
    halves = (int.from_bytes(raw(signature)[i : i + 32], "big") for i in (0, 32))
    numbers.public_key().verify(utils.encode_dss_signature(*halves), text.encode(), ec.ECDSA(hashes.SHA256()))
