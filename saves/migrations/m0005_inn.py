"""The Inn: jobs and their events, workers and what lies on their boxes, exams asked outside, what the Oracle said, watch and tasks.

The runtime writes these tables, but for ``exam_requests``, which the engine writes. Forms are named by the digest of their model
(64 hex) and by name, never by a reference: a form may go while what it said stays. Times are UTC seconds since the epoch.
"""

STATEMENTS: tuple[str, ...] = (
    # ---- jobs: pending (may be taken), queued (waits for its moment), claimed and running (under a lease), and four ends
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, school TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN
            ('pending', 'queued', 'claimed', 'running', 'completed', 'failed', 'cancelled', 'timeout')),
        priority TEXT NOT NULL CHECK (priority IN ('critical', 'high', 'normal', 'low', 'idle')),
        key TEXT, payload_json TEXT NOT NULL, result_json TEXT,
        attempts INTEGER NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
        lease_owner TEXT, lease_until REAL, worker TEXT, error_class TEXT, error TEXT,
        created_at REAL NOT NULL, claimed_at REAL, started_at REAL, ended_at REAL, not_before REAL NOT NULL DEFAULT 0,
        rank INTEGER NOT NULL AS (CASE priority
            WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 WHEN 'low' THEN 3 ELSE 4 END) VIRTUAL,
        CHECK ((status IN ('claimed', 'running')) = (lease_owner IS NOT NULL)),
        CHECK ((lease_owner IS NULL) = (lease_until IS NULL))) STRICT""",
    "CREATE INDEX jobs_waiting ON jobs (rank, id) WHERE status IN ('pending', 'queued')",
    "CREATE INDEX jobs_leased ON jobs (lease_until) WHERE lease_owner IS NOT NULL",
    "CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL",
    """CREATE UNIQUE INDEX one_unfinished_job_per_key ON jobs (key)
        WHERE key IS NOT NULL AND status IN ('pending', 'queued', 'claimed', 'running')""",
    """CREATE TABLE job_events (
        id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        event TEXT NOT NULL, status TEXT NOT NULL, attempt INTEGER NOT NULL, owner TEXT, text TEXT NOT NULL DEFAULT '',
        at REAL NOT NULL) STRICT""",
    "CREATE INDEX events_of_job ON job_events (job_id, id)",
    "CREATE INDEX job_events_by_time ON job_events (at)",
    # ---- workers, and the forms that lie on their boxes
    """CREATE TABLE workers (
        id TEXT PRIMARY KEY, box TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('own', 'vllm', 'sglang', 'openai')),
        strict INTEGER NOT NULL CHECK (strict IN (0, 1)), address TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('started', 'adopted')), state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '',
        digest TEXT, pid INTEGER, ticks INTEGER, boot_id TEXT, lease_s REAL, created_at REAL NOT NULL, seen_at REAL,
        stopped_at REAL, detail_json TEXT NOT NULL DEFAULT '{}') STRICT""",
    """CREATE TABLE checkpoint_places (
        digest TEXT NOT NULL, box TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', step INTEGER,
        bytes INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('partial', 'whole', 'damaged', 'gone')),
        pushed_at REAL, checked_at REAL, used_at REAL, PRIMARY KEY (digest, box)) STRICT, WITHOUT ROWID""",
    # ---- exams outside: the engine asks, the runtime answers, the engine marks at a step boundary
    # A sitting is one examination; a round of it is entered when every request of the round is answered.
    """CREATE TABLE exam_requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL,
        sitting TEXT NOT NULL, round INTEGER NOT NULL, position INTEGER NOT NULL,
        plan TEXT NOT NULL, skill TEXT NOT NULL, mix TEXT NOT NULL, level INTEGER NOT NULL, kind TEXT NOT NULL,
        first_index INTEGER NOT NULL, checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id), digest TEXT NOT NULL,
        items_json TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('open', 'entered', 'home', 'dropped')),
        entered_step INTEGER, exam_id INTEGER REFERENCES exams (id), reason TEXT NOT NULL DEFAULT '',
        at REAL NOT NULL, closed_at REAL) STRICT""",
    "CREATE INDEX requests_of_sitting ON exam_requests (sitting, round, position)",
    "CREATE INDEX requests_open ON exam_requests (id) WHERE state = 'open'",
    """CREATE TABLE answers (
        id INTEGER PRIMARY KEY, request_id INTEGER NOT NULL UNIQUE REFERENCES exam_requests (id) ON DELETE CASCADE,
        job_id INTEGER, digest TEXT NOT NULL, worker TEXT NOT NULL, texts_json TEXT NOT NULL,
        detail_json TEXT NOT NULL DEFAULT '{}', seconds REAL NOT NULL, at REAL NOT NULL) STRICT""",
    # ---- the Oracle's words, and forms put to work on a box
    """CREATE TABLE oracle_turns (
        id INTEGER PRIMARY KEY, talk TEXT NOT NULL, kind TEXT NOT NULL, campaign_id TEXT NOT NULL, name TEXT NOT NULL,
        step INTEGER, digest TEXT NOT NULL, box TEXT NOT NULL, worker TEXT NOT NULL, server TEXT NOT NULL, strict INTEGER NOT NULL,
        messages_json TEXT NOT NULL, answer TEXT, sampling_json TEXT NOT NULL, finish TEXT,
        prompt_tokens INTEGER, tokens INTEGER, seconds REAL, first_token_s REAL, error_code TEXT, error TEXT,
        detail_json TEXT NOT NULL DEFAULT '{}', at REAL NOT NULL) STRICT""",
    "CREATE INDEX turns_of_talk ON oracle_turns (talk, id)",
    """CREATE TABLE ceremonies (
        id INTEGER PRIMARY KEY, campaign_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, step INTEGER,
        digest TEXT NOT NULL, box TEXT NOT NULL, worker TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL CHECK (state IN ('gate', 'sync', 'swap', 'canary', 'crowned', 'undone', 'failed')),
        before_digest TEXT, before_name TEXT, canary_json TEXT NOT NULL DEFAULT '{}', error_code TEXT, error TEXT,
        detail_json TEXT NOT NULL DEFAULT '{}', begun_at REAL NOT NULL, ended_at REAL) STRICT""",
    "CREATE INDEX ceremonies_of_box ON ceremonies (box, id)",
    # ---- the Task Master's runs, the Garrison's looks and alarms
    """CREATE TABLE task_runs (
        id INTEGER PRIMARY KEY, task TEXT NOT NULL, outcome TEXT NOT NULL, box TEXT NOT NULL DEFAULT '', job_id INTEGER,
        error TEXT, detail_json TEXT NOT NULL DEFAULT '{}', started_at REAL NOT NULL, ended_at REAL) STRICT""",
    "CREATE INDEX runs_of_task ON task_runs (task, id)",
    """CREATE TABLE patrols (
        id INTEGER PRIMARY KEY, box TEXT NOT NULL, status TEXT NOT NULL, facts_json TEXT NOT NULL DEFAULT '{}',
        at REAL NOT NULL) STRICT""",
    "CREATE INDEX patrols_of_box ON patrols (box, id)",
    """CREATE TABLE alerts (
        id INTEGER PRIMARY KEY, box TEXT NOT NULL, rule TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
        title TEXT NOT NULL, why TEXT NOT NULL DEFAULT '', fix TEXT NOT NULL DEFAULT '', detail_json TEXT NOT NULL DEFAULT '{}',
        count INTEGER NOT NULL DEFAULT 1, at REAL NOT NULL, last_at REAL NOT NULL, resolved_at REAL) STRICT""",
    "CREATE UNIQUE INDEX one_open_alert ON alerts (box, rule) WHERE resolved_at IS NULL",
)
