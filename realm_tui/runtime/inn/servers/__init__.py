"""Inference servers behind one contract: the realm's own worker, vLLM, SGLang, and any OpenAI-compatible endpoint (not strict)."""
