"""Files written by a person become rows: the catalogue and accounts.

- `catalogue_file` and `accounts_file` say what may stand in them, `catalogue_loading` and `accounts_loading` store it
- of accounts, what the database has already: `known_accounts`, and what is written: `accounts_writing`
- complaints name the line: `readable_file`, `readable_values`
"""
