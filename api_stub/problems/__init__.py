"""Refusals and failures as problem details (RFC 9457).

- `problem_types` lists them all, `members` what each type has of its own; `details` makes an answer of one
- what the steps and functions of tasks/ refuse: `domain_problems`; why a cart cannot be ordered: `refusals`, as `refusal_codes` describes each reason
"""
