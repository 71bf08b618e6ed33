"""Letters on their way to the mail server. `tasks.letters` composes them.

- `mailing` sends each kind once per order; `writing` reads what a letter is about, and has it composed;
  `still_true` decides what of an order there still is to say
- `marking` records what the mail server said, though PostgreSQL is away for a moment just then
- `at_once` limits how many threads of a process letters hold
- `unanswered` has a person decide where a letter was sent several times without an answer
"""
