"""Recomputes everything about money from what happened and compares it with what is stored: `verify` names each difference.

It only reads, and trusts no stored result: a balance must be the sum of its movements, a line the rules' result for its facts, an
order the sum of its lines and equal to its accepted quote, an invoice equal to its order, a charge the amount due, and so on.
docs/money.md lists the checks.
"""
