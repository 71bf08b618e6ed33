"""The provider's books held against ours: each charge it took and each refund it made in a time, and what is written down of it here.

`tasks.ledger_check` believes what is written; this asks who has the money. After a database was restored from a backup it names what was
forgotten: charges of orders that are not there any more among them.
"""
