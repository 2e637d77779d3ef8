"""How control loops run: queues, clock, manager, convergence, leases."""
