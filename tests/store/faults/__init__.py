"""The faults the log must survive: seeded, repeatable, with broken variants that must be caught.

``python -m tests.store.faults [--long] [--seed N]`` runs all of it and prints the figures; the
short pass is part of the tests.
"""
