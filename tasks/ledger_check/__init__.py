"""Recomputes everything about money from what happened and compares it with what is stored: `verify` names each difference.

It only reads, and trusts no stored result: a balance is its movements' sum, a line is what the rules make of its facts, an order is its
lines, an invoice is its order, a charge is what was due, a subscription's periods follow from each other.
"""
