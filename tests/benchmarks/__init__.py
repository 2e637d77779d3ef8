"""Benchmarks: what a command costs, against the budgets the project has set itself."""
