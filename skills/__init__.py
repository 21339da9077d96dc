"""What a hero can learn: one module per skill, each a generator, a scorer and a ladder of levels."""
