"""Refusals and failures as problem details (RFC 9457).

- `problem_types` lists every `type`, `details` makes an answer of one
- what `tasks` refuses: `domain_problems`; why a cart cannot be ordered: `refusals`
"""
