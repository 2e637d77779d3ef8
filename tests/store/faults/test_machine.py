"""Three replicas that come, go, rot and are repaired, called in any order, answer as the model does."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kctl.store.api import Write
from kctl.store.errors import Compacted, FutureRevision, HeadMoved
from kctl.store.memory import MemoryStore
from tests.store.faults.world import MEMORY, World

KEYS = [f"/{resource}/{ns}/{name}" for resource in ("pods", "nodes") for ns in ("", "a") for name in ("x", "y", "z")]
writes = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=4)), max_size=4)
back = st.integers(-2, 8)
which = st.integers(0, 2)


class ThreeReplicas(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.world = World(self.root / "w", 3).create()
        self.model = MemoryStore(cluster_id="c")
        self.real = self.world.open()
        self.hurt = None

    def both(self, call):
        """Return what both answer, or the same error of both; heads differ in term and so in hash."""
        answers = []
        for store in (self.model, self.real):
            try:
                answers.append(call(store))
            except (Compacted, FutureRevision, HeadMoved) as error:
                answers.append((type(error), error.message))
        assert answers[0] == answers[1]
        return answers[0]

    @rule(batch=writes, gap=st.integers(0, 2), request=st.binary(max_size=1))
    def commit(self, batch, gap, request):
        head = self.model.head()
        rows = []
        for n, (key, value) in enumerate(sorted(batch.items()), head.revision + 1 + gap):
            old = self.model.get(key)
            rows.append(Write(key, value, n, old.create_revision if old else n))
        last = (rows[-1].revision if rows else head.revision) + gap

        def call(store):
            made = store.commit(store.head(), rows, revision=last, now=head.now + gap, cause="é", request_id=request)
            return made.revision, made.now

        self.both(call)

    @rule(n=back)
    def compact(self, n):
        self.both(lambda store: store.compact(max(0, self.model.head().revision - n)).revision)

    @rule(n=back, limit=st.integers(0, 3), prefix=st.sampled_from(["/", "/pods/", "/pods/a/", "/n"]))
    def read_the_past(self, n, limit, prefix):
        at = max(0, self.model.head().revision - n)
        self.both(lambda store: store.list(prefix, revision=at, limit=limit))
        self.both(lambda store: [store.get(key, revision=at) for key in KEYS[:4]])
        self.both(lambda store: list(store.changes(at)))

    @precondition(lambda self: self.hurt is None)
    @rule(n=which)
    def delete_a_folder(self, n):
        shutil.rmtree(self.world.folders[n])
        self.hurt = n

    @precondition(lambda self: self.hurt is None)
    @rule(n=which, page=st.integers(0, 30), bit=st.integers(0, 4096 * 8 - 1))
    def flip_a_bit(self, n, page, bit):
        path = self.world.folders[n] / "log.db"
        content = bytearray(path.read_bytes())
        at = (page * 4096 + bit // 8) % len(content)
        content[at] ^= 1 << bit % 8
        self.real.close()
        path.write_bytes(content)
        self.real = self.world.open()
        self.hurt = n

    @precondition(lambda self: self.hurt is not None)
    @rule()
    def repair(self):
        self.real.repair()
        assert self.real.verify("full") == []
        self.hurt = None

    @rule()
    def reopen(self):
        self.real.close()
        self.real = self.world.open()

    @invariant()
    def same_present(self):
        if hasattr(self, "real"):
            self.both(lambda store: (store.head().revision, store.head().now, store.compacted()))
            self.both(lambda store: [store.list(prefix) for prefix in ("/", "/pods/", "/nodes/")])

    def teardown(self):
        if hasattr(self, "real"):
            self.real.close()
            shutil.rmtree(self.root)


TestThreeReplicas = ThreeReplicas.TestCase
TestThreeReplicas.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
