"""What the seller of a stack on one machine is made up of: public, so production refuses to print any of it on an invoice."""

from typing import Final

VAT_NUMBER: Final = "DE123456788"
IBAN: Final = "DE89 3704 0044 0532 0130 00"
BANK_ACCOUNT: Final = f"Musterbank, IBAN {IBAN}, BIC COBADEFFXXX"
