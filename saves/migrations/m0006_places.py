"""A place in the order that the player gives a quest among those of its priority."""

STATEMENTS: tuple[str, ...] = ("ALTER TABLE quests ADD COLUMN place_at INTEGER",)
