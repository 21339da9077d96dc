"""How much memory training takes: an estimate part by part, plans that fit a card, and what was measured. Knows no torch."""
