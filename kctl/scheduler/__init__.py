"""kube-scheduler: its framework, plugins, queue."""
