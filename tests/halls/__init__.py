"""The halls of the guild: quest board, skills, exams and forge, as facts and as screens."""
