"""The engine beside ``trl.SFTTrainer``: the same models and examples, each contestant in a process of its own, in turns."""
