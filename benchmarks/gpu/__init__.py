"""Models of true shapes on a card: the engine beside SFTTrainer on the same examples, each contestant in a process of its own."""
