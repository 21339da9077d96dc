"""What the hero learns next and when a level is won: sampling, exams, the gate. Pure functions, no torch."""
