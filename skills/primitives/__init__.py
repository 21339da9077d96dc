"""Primitive drills: each primitive of the catalogue as a generator with a ladder of ten rungs and an exact scorer."""
