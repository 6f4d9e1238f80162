"""The family of lattice schemes: keyed plane waves, a keyed pose for every picture, blind synchronisation."""
