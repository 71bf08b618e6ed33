"""Files written by a person become rows: the catalogue and accounts.

- `catalogue_file` and `accounts_file` say what may stand in them, `catalogue_loading` and `accounts_loading` store it;
  what the database has of listed accounts: `known_accounts`
- complaints name the line: `readable_file`, `readable_values`
"""
