"""What ``kctl describe`` prints: pods, nodes, services and deployments as kubectl does, others field by field."""
