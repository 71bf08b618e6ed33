"""Everything about money, worked out again from what happened and held against what is written: `verify` names each difference.

It only reads, and believes nothing: a balance is its movements' sum, a line is what the rules make of its facts, an order is its
lines, an invoice is its order, a charge is what was due, a subscription's periods follow from each other.
"""
