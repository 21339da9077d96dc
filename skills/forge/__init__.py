"""The Skill Forge: from samples of a new domain a proposal of a declared skill, its ladder and its exam plan.

Everything is found by fixed rules, so that the same samples always give the same proposal: templates are mined from the prompts
(`templates`), answers explained by expressions (`search`, `fitting`), levels laid over what the samples span (`ladder`,
`declare`), and the whole is checked against samples that took no part (`consistency`). What could not be explained is said line by
line. A person decides.
"""
