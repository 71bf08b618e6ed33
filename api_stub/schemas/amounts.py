"""Money in answers: minor units for machines, the customer's own way of writing it for people."""

from pydantic import BaseModel, Field

from models.accounts import Language
from tasks.letters.wording import Wording


class Money(BaseModel):
    minor: int = Field(
        description="minor units of the currency, of which ISO 4217 says how many there are: cents for EUR (100), yen for JPY (1), fils for KWD (1000)",
        examples=[1190],
        json_schema_extra={"format": "int64"},
    )
    currency: str = Field(examples=["EUR"], pattern="^[A-Z]{3}$")
    text: str = Field(
        description="as the account's language writes it (in the catalogue: the language asked for)",
        examples=["11,90 €"],
    )


def money(minor: int, currency: str, language: Language) -> Money:
    return Money(minor=minor, currency=currency, text=Wording(language, currency, "UTC").money(minor))
