"""Recomputes everything about money from what happened and compares it with what is stored: `verify` names each difference.

It only reads, and trusts no stored result: a balance is its movements' sum, a line is what the rules make of its facts, an order is its
lines and the quote that was accepted, an invoice is its order, a charge is what was due, what was paid for was given, a subscription's
periods follow from each other. docs/money.md lists the checks.
"""
