"""The keeper: owns the engine's lock and socket, starts the trainer, understands its end, and starts it again. Torch-free."""
