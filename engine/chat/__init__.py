"""Conversations as tokens: turn formats by family, what is trained of them, and the data profiles. Torch-free."""
