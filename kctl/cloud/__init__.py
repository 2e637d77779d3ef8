"""cloud-controller-manager: the provider interface, its controllers, one provider per file."""
