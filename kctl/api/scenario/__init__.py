"""Scenarios: what is to go wrong, when, and what is to hold all the same (``kind: Scenario``).

In the order a text takes: :mod:`oneliners` turns ``--what-if`` texts into the fields of a manifest,
:mod:`reading` (with :mod:`fields` and :mod:`happenings`) checks a manifest and gives a :class:`model.Scenario`,
:mod:`matching` says which rule speaks of which pod or image, :mod:`formulas` computes what is used,
:mod:`expectations` reads what is expected. Nothing here changes anything: the plane plays scenarios.
"""
