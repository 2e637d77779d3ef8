"""What ``kctl create`` makes from flags besides the kinds of everyday: one file per subject, loaded when used."""
