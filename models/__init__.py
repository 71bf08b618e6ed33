"""What is true: tables, guarded transitions and, in `rules`, pure functions."""
