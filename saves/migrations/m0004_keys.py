"""Keys by which long histories are read: what is new by its time, screenings by their level."""

STATEMENTS: tuple[str, ...] = (
    "CREATE INDEX windows_by_time ON step_windows (last_at)",
    "CREATE INDEX exams_by_time ON exams (at)",
    "CREATE INDEX holds_by_time ON holds (at)",
    "CREATE INDEX holds_by_level ON holds (skill, level, id)",
)
