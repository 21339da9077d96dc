"""A way to the exams that a checkpoint answered without reading every exam of a long campaign.

It is partial on purpose: an index that begins with the run would lead the newest-exam queries away from the primary key.
"""

STATEMENTS: tuple[str, ...] = ("CREATE INDEX exams_of_form ON exams (checkpoint_id) WHERE checkpoint_id IS NOT NULL",)
