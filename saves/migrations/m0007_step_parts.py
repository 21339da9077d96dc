"""Where the seconds of the steps of a window went. Older windows do not know it: NULL, which is never drawn as zero."""

STATEMENTS: tuple[str, ...] = tuple(
    f"ALTER TABLE step_windows ADD COLUMN {name} REAL" for name in ("data_s", "compute_s", "forward_s", "update_s")
)
