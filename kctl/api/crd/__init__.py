"""Custom resources: what a CustomResourceDefinition brings, and what its instances must be.

:mod:`version` is one version of one definition, compiled as far as somebody asks: its kind, its
schema for server-side apply (:mod:`nodes`), decoding (:mod:`pruning`, :mod:`decoding`), validation
(:mod:`values`, :mod:`formats`, :mod:`lists`, :mod:`instances`). Whether a definition is itself valid
is judged in :mod:`kctl.api.validation.definitions`; which names it gets, in :mod:`naming`.
"""
