"""The first schema. Each table names the one role that writes it.

A fact belongs to a run and a step. It is *live* while its step is not beyond its run's ``superseded_after``; resuming from a
checkpoint sets that bound on the runs it leaves behind, and every ``live_*`` view leaves the rest out.
Times are UTC seconds since the epoch.
"""

STATEMENTS: tuple[str, ...] = (
    # ---- the save itself (face)
    "CREATE TABLE save_info (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value_json TEXT NOT NULL, updated_at REAL NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE seen (key TEXT PRIMARY KEY, value_json TEXT NOT NULL, updated_at REAL NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE campaigns (
        id TEXT PRIMARY KEY, hero_id TEXT NOT NULL, hero_json TEXT NOT NULL, name TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'completed', 'archived')),
        seed INTEGER NOT NULL, starting_checkpoint_id INTEGER REFERENCES checkpoints (id),
        starting_step INTEGER NOT NULL DEFAULT 0, overrides_json TEXT NOT NULL DEFAULT '{}',
        created_at REAL NOT NULL, archived_at REAL) STRICT""",
    "CREATE UNIQUE INDEX one_active_campaign ON campaigns (status) WHERE status = 'active'",
    """CREATE TABLE quests (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, file TEXT NOT NULL, digest TEXT NOT NULL,
        format TEXT NOT NULL CHECK (format IN ('messages', 'text')),
        priority TEXT NOT NULL CHECK (priority IN ('high', 'normal', 'low')), epochs INTEGER NOT NULL CHECK (epochs >= 1),
        counts_json TEXT NOT NULL, source TEXT NOT NULL, created_at REAL NOT NULL, removed_at REAL) STRICT""",
    # ---- the engine's facts
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY, campaign_id TEXT NOT NULL REFERENCES campaigns (id),
        parent_run_id INTEGER REFERENCES runs (id), parent_checkpoint_id INTEGER REFERENCES checkpoints (id),
        first_step INTEGER NOT NULL, superseded_after INTEGER, exact INTEGER NOT NULL DEFAULT 1,
        pid INTEGER NOT NULL, environment_json TEXT NOT NULL,
        started_at REAL NOT NULL, ended_at REAL, end_reason TEXT, last_step INTEGER) STRICT""",
    "CREATE INDEX runs_of_campaign ON runs (campaign_id, id)",
    """CREATE TABLE step_windows (
        run_id INTEGER NOT NULL REFERENCES runs (id), first_step INTEGER NOT NULL, last_step INTEGER NOT NULL,
        first_at REAL NOT NULL, last_at REAL NOT NULL, active_s REAL NOT NULL,
        skill TEXT, quest_attempt_id INTEGER, floor REAL,
        steps INTEGER NOT NULL, loss_sum REAL NOT NULL, loss_min REAL, loss_last REAL,
        strain_sum REAL NOT NULL, strain_last REAL,
        zone_recovery INTEGER NOT NULL, zone_productive INTEGER NOT NULL, zone_stretch INTEGER NOT NULL,
        zone_overload INTEGER NOT NULL, zone_unknown INTEGER NOT NULL,
        new_bests INTEGER NOT NULL, misses INTEGER NOT NULL, nonfinite INTEGER NOT NULL, longest_streak INTEGER NOT NULL,
        tokens INTEGER NOT NULL, trained_tokens INTEGER NOT NULL, examples INTEGER NOT NULL,
        grad_norm_sum REAL NOT NULL, grad_norm_max REAL, learning_rate REAL,
        PRIMARY KEY (run_id, first_step)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE forged_quests (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), skill TEXT NOT NULL, recipe_json TEXT NOT NULL,
        first_step INTEGER NOT NULL, last_step INTEGER, started_at REAL NOT NULL, ended_at REAL,
        state TEXT NOT NULL CHECK (state IN ('processing', 'completed', 'skipped', 'interrupted'))) STRICT""",
    """CREATE TABLE quest_attempts (
        id INTEGER PRIMARY KEY, quest_id INTEGER NOT NULL REFERENCES quests (id), run_id INTEGER NOT NULL REFERENCES runs (id),
        continues_id INTEGER REFERENCES quest_attempts (id), first_step INTEGER NOT NULL, last_step INTEGER,
        state TEXT NOT NULL CHECK (state IN ('processing', 'completed', 'failed', 'skipped', 'interrupted')),
        steps_total INTEGER, examples_done INTEGER NOT NULL DEFAULT 0, tokens_json TEXT NOT NULL DEFAULT '{}',
        loss_before REAL, loss_after REAL, samples_json TEXT NOT NULL DEFAULT '[]', reason TEXT,
        started_at REAL NOT NULL, ended_at REAL) STRICT""",
    "CREATE INDEX attempts_of_quest ON quest_attempts (quest_id, id)",
    """CREATE TABLE exams (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        skill TEXT NOT NULL, level INTEGER NOT NULL, mix TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('gate', 'screen', 'asked')),
        first_index INTEGER NOT NULL, items INTEGER NOT NULL, correct INTEGER NOT NULL, errors INTEGER NOT NULL DEFAULT 0,
        repeats INTEGER NOT NULL DEFAULT 0, apprentice INTEGER NOT NULL DEFAULT 0,
        operations_json TEXT NOT NULL, results_json TEXT NOT NULL, sequence TEXT NOT NULL, weights TEXT NOT NULL,
        won_level INTEGER NOT NULL DEFAULT 0, duration_s REAL NOT NULL, at REAL NOT NULL) STRICT""",
    "CREATE INDEX exams_by_level ON exams (skill, level, id)",
    """CREATE TABLE exam_items (
        exam_id INTEGER NOT NULL REFERENCES exams (id) ON DELETE CASCADE, position INTEGER NOT NULL,
        item_index INTEGER NOT NULL, operation TEXT NOT NULL, tier TEXT NOT NULL, problem_digest TEXT NOT NULL,
        prompt TEXT NOT NULL, expected TEXT NOT NULL, answer TEXT, result TEXT, correct INTEGER NOT NULL,
        repeat INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (exam_id, position)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE holds (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        skill TEXT NOT NULL, level INTEGER NOT NULL, items INTEGER NOT NULL, correct INTEGER NOT NULL,
        lost INTEGER NOT NULL, at REAL NOT NULL) STRICT""",
    """CREATE TABLE level_ups (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        skill TEXT NOT NULL, from_level INTEGER NOT NULL, to_level INTEGER NOT NULL, exam_ids_json TEXT NOT NULL,
        steps INTEGER NOT NULL, effort REAL NOT NULL, start_loss REAL, end_loss REAL,
        checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id), at REAL NOT NULL) STRICT""",
    """CREATE TABLE checkpoints (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), campaign_id TEXT NOT NULL REFERENCES campaigns (id),
        step INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL,
        reasons_json TEXT NOT NULL, facts_json TEXT NOT NULL, protected INTEGER NOT NULL DEFAULT 0,
        at REAL NOT NULL, deleted_at REAL) STRICT""",
    "CREATE INDEX checkpoints_of_campaign ON checkpoints (campaign_id, step)",
    "CREATE UNIQUE INDEX one_checkpoint_per_step ON checkpoints (run_id, step) WHERE deleted_at IS NULL",
    """CREATE TABLE champions (
        id INTEGER PRIMARY KEY, checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id),
        exam_id INTEGER REFERENCES exams (id), export_path TEXT, at REAL NOT NULL, retired_at REAL) STRICT""",
    """CREATE TABLE incidents (
        id INTEGER PRIMARY KEY, run_id INTEGER REFERENCES runs (id), step INTEGER, rule TEXT NOT NULL,
        category TEXT NOT NULL CHECK (category IN ('data', 'training', 'infra', 'logic')),
        severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
        status TEXT NOT NULL CHECK (status IN ('open', 'investigating', 'resolved', 'wontfix')),
        title TEXT NOT NULL, fix TEXT NOT NULL, blocks INTEGER NOT NULL DEFAULT 0, detail_json TEXT NOT NULL,
        count INTEGER NOT NULL DEFAULT 1, at REAL NOT NULL, last_at REAL NOT NULL, resolved_at REAL) STRICT""",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, command_id TEXT UNIQUE, run_id INTEGER NOT NULL REFERENCES runs (id),
        step INTEGER NOT NULL, verb TEXT NOT NULL, args_json TEXT NOT NULL, changes_training INTEGER NOT NULL,
        result_json TEXT, at REAL NOT NULL) STRICT""",
    """CREATE TABLE balances (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), kind TEXT NOT NULL,
        first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, state_json TEXT NOT NULL, at REAL NOT NULL) STRICT""",
    "CREATE INDEX balances_of_run ON balances (run_id, kind, first_step)",
    # ---- live facts: what a resumed run has not left behind
    *(
        f"""CREATE VIEW live_{table} AS SELECT t.*, r.campaign_id AS run_campaign_id FROM {table} t
            JOIN runs r ON r.id = t.run_id WHERE r.superseded_after IS NULL OR t.{column} <= r.superseded_after"""
        for table, column in (
            ("step_windows", "last_step"),
            ("balances", "last_step"),
            ("forged_quests", "first_step"),
            ("quest_attempts", "first_step"),
            ("exams", "step"),
            ("holds", "step"),
            ("level_ups", "step"),
            ("checkpoints", "step"),
        )
    ),
    """CREATE VIEW quest_states AS SELECT q.*, a.id AS attempt_id, a.run_id, a.first_step, a.last_step, a.steps_total,
            a.examples_done, a.tokens_json, a.loss_before, a.loss_after, a.samples_json, a.reason, a.started_at, a.ended_at,
            (SELECT count(*) FROM live_quest_attempts n WHERE n.quest_id = q.id AND n.state = 'failed') AS failures,
            CASE
                WHEN q.removed_at IS NOT NULL THEN 'removed'
                WHEN a.id IS NULL THEN 'queued'
                WHEN a.state = 'processing' THEN 'processing'
                WHEN a.state = 'interrupted' THEN 'queued'
                WHEN a.last_step > coalesce((SELECT superseded_after FROM runs WHERE id = a.run_id), a.last_step) THEN 'queued'
                ELSE a.state
            END AS state
        FROM quests q LEFT JOIN live_quest_attempts a
            ON a.id = (SELECT max(l.id) FROM live_quest_attempts l WHERE l.quest_id = q.id)""",
)
