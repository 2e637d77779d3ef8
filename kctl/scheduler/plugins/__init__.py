"""kube-scheduler's plugins, one file each, named as upstream names them."""
