from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.errors import KctlError
from kctl.apiserver import keys as keyfile
from kctl.apiserver.encryption import PREFIX, SealedStore, must_seal
from kctl.apiserver.keys import EncryptionKey, KeysError
from kctl.apiserver.sealing import EncryptionError, Sealer, key_name
from kctl.store.api import Write
from kctl.store.memory import MemoryStore

SECRET = b'{"data":{"password":"aHVudGVyMg=="},"kind":"Secret"}'
POD = b'{"kind":"Pod"}'
DB, OTHER = "/secrets/default/db", "/secrets/default/other"


@pytest.fixture
def below() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def put(store: SealedStore | MemoryStore, *pairs: tuple[str, bytes | None]) -> None:
    head = store.head()
    writes = [Write(key, value, head.revision + n, head.revision + n) for n, (key, value) in enumerate(pairs, 1)]
    store.commit(head, writes, revision=head.revision + len(pairs), now=1.0)


def put_keys(path: Path, keys: keyfile.Keys) -> None:
    keyfile.change(path, lambda _: keys)


def raw(store: MemoryStore, key: str) -> bytes:
    found = store.get(key)
    assert found is not None
    return found.value


def test_a_secret_reads_back_and_lies_sealed_below(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    put(store, (DB, SECRET), ("/pods/default/web", POD))
    assert b"aHVudGVyMg" not in raw(below, DB)
    assert raw(below, "/pods/default/web") == POD
    assert [kv.value for kv in store.list("/secrets/").items] == [SECRET]
    assert [kv.value for kv in store.list("/").items] == [POD, SECRET]
    assert [change.value for change in store.changes(0)] == [SECRET, POD]
    found, again = store.get(DB), SealedStore(below, path).get(DB)
    assert found is not None
    assert found == again
    assert found.value == SECRET


def test_what_holds_no_secret_needs_no_key(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    put(store, ("/pods/default/web", POD), ("/intents.kctl.dev//a", b'{"kind":"Intent"}'))
    assert not path.exists()
    assert store.get("/pods/default/web") is not None


@pytest.mark.parametrize(
    ("key", "value", "sealed"),
    [
        (DB, b"{}", True),
        ("/secrets.example.com/default/db", b'{"kind":"Secret"}', False),
        ("/configmaps/default/a", b'{"data":{"kind":"Secret"}}', False),
        ("/renderedsets.kctl.dev//a", b'{"spec":{"objects":[{"object":{"kind":"Secret"}}]}}', True),
        ("/renderedsets.kctl.dev//a", b'{"spec":{"objects":[{"object":{"kind":"Pod"}}]}}', False),
        ("/renderedsets.kctl.dev//a", rb'{"a":"{\"kind\":\"Secret\"}"}', True),
        ("/renderedsets.kctl.dev//a", b"\x78\x9c compressed", True),
        ("/intents.kctl.dev//a", b'{"status":{"results":[{"kind":"Secret","message":"x"}]}}', True),
        ("/inventories.kctl.dev//a", b'{"spec":{"entries":[{"kind":"Secret"}]}}', False),
    ],
)
def test_what_is_sealed(key: str, value: bytes, sealed: bool) -> None:
    assert must_seal(key, value) is sealed


def test_the_file_of_keys_is_private_and_made_once(below: MemoryStore, path: Path) -> None:
    first, second = SealedStore(below, path), SealedStore(below, path)
    put(first, (DB, SECRET))
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyfile.is_private(path)
    put(second, (OTHER, SECRET))
    assert len(keyfile.load(path)) == 1
    assert keyfile.create(path) == keyfile.load(path) == first.sealer.keys
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


def test_a_file_whose_last_key_was_dropped_gets_a_new_one(below: MemoryStore, path: Path) -> None:
    put_keys(path, ())
    put(SealedStore(below, path), (DB, SECRET))
    assert key_name(raw(below, DB)) == keyfile.load(path)[0].name


def test_a_key_that_another_process_added_meanwhile_is_found(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    put(store, (DB, SECRET))
    put_keys(path, (keyfile.fresh(), *keyfile.load(path)))
    put(SealedStore(below, path), (OTHER, SECRET))
    found = store.get(OTHER)
    assert found is not None
    assert found.value == SECRET


def test_a_key_that_was_dropped_meanwhile_writes_no_more(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    put(store, (DB, SECRET))
    new = keyfile.fresh()
    put_keys(path, (new,))
    put(store, (OTHER, SECRET))
    assert key_name(raw(below, OTHER)) == new.name


def test_processes_that_add_keys_at_once_lose_none(path: Path) -> None:
    def add(_: int) -> str:
        key = keyfile.fresh()
        keyfile.change(path, lambda held: (key, *held))
        return key.name

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(add, range(40)))
    assert {key.name for key in keyfile.load(path)} == names


def test_the_same_value_never_looks_the_same_twice(path: Path) -> None:
    sealer = Sealer(path)
    sealer.create()
    assert len({sealer.seal(DB, SECRET) for _ in range(50)}) == 50


def test_a_value_moved_to_another_secret_is_refused(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    put(store, (DB, SECRET), (OTHER, b"{}"))
    put(below, (OTHER, raw(below, DB)))
    with pytest.raises(EncryptionError, match="secrets default/other cannot be decrypted with key"):
        store.get(OTHER)


@settings(max_examples=40)
@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    sealer = Sealer(Path("keys.json"))
    sealer._keys = (keyfile.fresh(),)
    sealed = bytearray(sealer.seal(DB, SECRET))
    place = data.draw(st.integers(len(PREFIX), len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(KctlError):
        sealer.open(DB, bytes(sealed))


def test_a_lost_file_is_said_with_its_name_and_the_keys(below: MemoryStore, path: Path) -> None:
    put(SealedStore(below, path), (DB, SECRET))
    name = key_name(raw(below, DB))
    path.unlink()
    store = SealedStore(below, path)
    with pytest.raises(
        EncryptionError, match=f"secrets default/db is encrypted with key {name}, and there is no key in {path}"
    ):
        store.get(DB)
    assert store.list("/pods/").items == []


def test_a_lost_file_is_not_replaced_by_a_new_key(below: MemoryStore, path: Path) -> None:
    put(SealedStore(below, path), (DB, SECRET))
    path.unlink()
    with pytest.raises(EncryptionError, match="is encrypted with key"):
        put(SealedStore(below, path), (OTHER, SECRET))
    assert not path.exists()


def test_another_clusters_keys_are_said(below: MemoryStore, path: Path) -> None:
    put(SealedStore(below, path), (DB, SECRET))
    other = keyfile.fresh()
    put_keys(path, (other,))
    with pytest.raises(EncryptionError, match=rf"which is not in {path} \(it has {other.name}\)"):
        SealedStore(below, path).get(DB)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"keys": 3}', '{"keys": [{"name": "a"}]}', "\xff", "[" * 9999]
)
def test_a_damaged_file_of_keys_is_said(path: Path, text: str) -> None:
    path.write_text(text, encoding="latin-1")
    with pytest.raises(KeysError, match="not a file of encryption keys, or it is damaged"):
        keyfile.load(path)


def test_a_key_under_another_name_is_damage(path: Path) -> None:
    put_keys(path, (EncryptionKey(keyfile.fresh().name, keyfile.fresh().secret),))
    with pytest.raises(KeysError, match="damaged"):
        keyfile.load(path)


def test_the_first_key_writes_and_every_key_reads(below: MemoryStore, path: Path) -> None:
    put(SealedStore(below, path), (DB, SECRET))
    old = keyfile.load(path)
    new = keyfile.fresh()
    put_keys(path, (new, *old))
    store = SealedStore(below, path)
    put(store, (OTHER, SECRET))
    assert key_name(raw(below, DB)) == old[0].name
    assert key_name(raw(below, OTHER)) == new.name
    assert [kv.value for kv in store.list("/secrets/").items] == [SECRET, SECRET]
    assert [kv.key for kv in store.stale("/secrets/")] == [DB]


def test_what_was_written_in_clear_is_read_and_is_stale(below: MemoryStore, path: Path) -> None:
    put(below, (DB, SECRET))
    store = SealedStore(below, path)
    found = store.get(DB)
    assert found is not None
    assert found.value == SECRET
    assert [kv.key for kv in store.stale("/secrets/")] == [DB]


def test_identity_in_the_first_place_writes_in_clear(below: MemoryStore, path: Path) -> None:
    put(SealedStore(below, path), (DB, SECRET))
    put_keys(path, (EncryptionKey(keyfile.IDENTITY, b""), *keyfile.load(path)))
    store = SealedStore(below, path)
    put(store, (OTHER, SECRET))
    assert raw(below, OTHER) == SECRET
    assert [kv.key for kv in store.stale("/secrets/")] == [DB]
    assert json.loads(path.read_text())["keys"][0] == {"name": "identity"}


def test_a_watch_shows_what_was_sealed(below: MemoryStore, path: Path) -> None:
    store = SealedStore(below, path)
    watch = store.watch("/secrets/", 0)
    put(store, (DB, SECRET))
    batch = watch.poll()
    assert batch is not None
    assert [change.value for change in batch.changes] == [SECRET]


def test_without_the_library_the_error_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    sealer = Sealer(path)
    sealer.create()
    with pytest.raises(EncryptionError, match="Secrets cannot be encrypted or decrypted"):
        sealer.seal(DB, SECRET)
