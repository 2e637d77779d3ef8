"""What ``kctl describe`` prints, kind by kind as kubectl does; kinds without a form of their own field by field."""
