"""Exams of every kind, what they say of primitives and of forgetting, and campaigns that follow one another.

The exams' table is made anew, because its kinds are no longer three; its rows keep their ids.
"""

_EXAM_COLUMNS = """id, run_id, step, skill, level, mix, kind, first_index, items, correct, errors, repeats, apprentice,
    operations_json, results_json, sequence, weights, won_level, duration_s, at"""


def _live(table: str, column: str = "step") -> str:
    return f"""CREATE VIEW live_{table} AS SELECT t.*, r.campaign_id AS run_campaign_id FROM {table} t
        JOIN runs r ON r.id = t.run_id WHERE r.superseded_after IS NULL OR t.{column} <= r.superseded_after"""


STATEMENTS: tuple[str, ...] = (
    # ---- exams (engine)
    "DROP VIEW live_exams",
    """CREATE TABLE new_exams (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        skill TEXT NOT NULL, level INTEGER NOT NULL, mix TEXT NOT NULL, kind TEXT NOT NULL,
        first_index INTEGER NOT NULL, items INTEGER NOT NULL, correct INTEGER NOT NULL, errors INTEGER NOT NULL DEFAULT 0,
        repeats INTEGER NOT NULL DEFAULT 0, apprentice INTEGER NOT NULL DEFAULT 0,
        operations_json TEXT NOT NULL, results_json TEXT NOT NULL, sequence TEXT NOT NULL, weights TEXT NOT NULL,
        won_level INTEGER NOT NULL DEFAULT 0, duration_s REAL NOT NULL, at REAL NOT NULL,
        plan TEXT NOT NULL DEFAULT '', skill_version TEXT NOT NULL DEFAULT '', primitives_json TEXT NOT NULL DEFAULT '{}',
        format_failures INTEGER NOT NULL DEFAULT 0, context_hash TEXT NOT NULL DEFAULT '',
        checkpoint_id INTEGER REFERENCES checkpoints (id)) STRICT""",
    f"INSERT INTO new_exams ({_EXAM_COLUMNS}) SELECT {_EXAM_COLUMNS} FROM exams",
    "DROP TABLE exams",
    "ALTER TABLE new_exams RENAME TO exams",
    "CREATE INDEX exams_by_level ON exams (skill, level, id)",
    _live("exams"),
    "ALTER TABLE exam_items ADD COLUMN primitives_json TEXT NOT NULL DEFAULT '[]'",
    """CREATE TABLE drifts (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, plan TEXT NOT NULL,
        skill TEXT NOT NULL, level INTEGER NOT NULL, baseline REAL NOT NULL, share REAL NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('none', 'warning', 'critical')), detail_json TEXT NOT NULL DEFAULT '{}',
        at REAL NOT NULL) STRICT""",
    _live("drifts"),
    """CREATE TABLE trials (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, discipline TEXT NOT NULL,
        level INTEGER NOT NULL, items INTEGER NOT NULL, correct INTEGER NOT NULL, threshold REAL NOT NULL,
        passed INTEGER NOT NULL, at REAL NOT NULL) STRICT""",
    _live("trials"),
    # ---- the curriculum's decisions (engine)
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, kind TEXT NOT NULL,
        skill TEXT NOT NULL DEFAULT '', strategy TEXT NOT NULL DEFAULT '', decision TEXT NOT NULL, reason TEXT NOT NULL,
        detail_json TEXT NOT NULL DEFAULT '{}', at REAL NOT NULL) STRICT""",
    "CREATE INDEX decisions_by_kind ON decisions (kind, id)",
    _live("decisions"),
    # ---- sparring (face: it asks the engine, and puts what comes back on the board)
    """CREATE TABLE sparring (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        checkpoint_id INTEGER REFERENCES checkpoints (id), skill TEXT NOT NULL, level INTEGER NOT NULL,
        asked INTEGER NOT NULL, failed INTEGER NOT NULL, records INTEGER NOT NULL, quest_id INTEGER REFERENCES quests (id),
        detail_json TEXT NOT NULL DEFAULT '{}', at REAL NOT NULL) STRICT""",
    # ---- campaigns and quests (face)
    """CREATE TABLE milestones (
        id INTEGER PRIMARY KEY, campaign_id TEXT NOT NULL REFERENCES campaigns (id), step INTEGER NOT NULL,
        kind TEXT NOT NULL, note TEXT NOT NULL, metrics_json TEXT NOT NULL DEFAULT '{}', at REAL NOT NULL) STRICT""",
    "ALTER TABLE campaigns ADD COLUMN parent_id TEXT REFERENCES campaigns (id)",
    "ALTER TABLE campaigns ADD COLUMN completed_at REAL",
    "ALTER TABLE campaigns ADD COLUMN summary_json TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE campaigns ADD COLUMN recipe_json TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE quests ADD COLUMN origin TEXT NOT NULL DEFAULT 'player'",
    "ALTER TABLE quests ADD COLUMN checkpoint_id INTEGER REFERENCES checkpoints (id)",
    "ALTER TABLE quests ADD COLUMN asked_step INTEGER",
)
