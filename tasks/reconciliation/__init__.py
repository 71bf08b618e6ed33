"""Compares the provider's books with ours: each charge, refund and dispute that was made there within a time range, with our record of it.

`tasks.ledger_check` believes our records; this package asks the provider, which has the money. After a database was restored from a
backup, it names what the backup lacks, including charges of orders that no longer exist here.
"""
