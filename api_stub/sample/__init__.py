"""A catalogue, accounts and orders to look at and to test with; readable files that are loaded as any others."""

from pathlib import Path

FOLDER = Path(__file__).parent
CATALOGUE = FOLDER / "catalogue.yaml"
ACCOUNTS = FOLDER / "accounts.yaml"
ORDERS = FOLDER / "orders.yaml"
