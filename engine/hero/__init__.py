"""The hero: model, tokenizer and template."""
