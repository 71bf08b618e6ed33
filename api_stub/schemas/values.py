"""The values that requests and answers are made of."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    StrictInt,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticKnownError

from tasks.plain_text import is_blank, is_printable, looks_encoded, names_a_web_address

_PRINTED = r"[^\x00-\x1F\x7F-\x9F\u115F\u1160\u2028\u2029\u202A-\u202E\u2066-\u2069\u3164\uFFA0]"
PRINTABLE = f"^{_PRINTED}*$"
LINES = rf"^({_PRINTED}|\r?\n)*$"
READABLE = rf"^{_PRINTED}*\w{_PRINTED}*$"
"""printable, and not blank: it will stand on invoices"""

PRINTED = r"^[!-~]+$"
PRINTED_OR_BLANK = r"^[ -~]+$"
TWO_CAPITALS = "^[A-Z]{2}$"
POSTCODE = r"^[A-Za-z0-9 -]+$"
VAT_NUMBER = r"^[A-Za-z0-9 .+*/-]+$"
ZONE = r"^[A-Za-z0-9_+/-]+$"
INVOICE_NUMBER = r"^[A-Z]{2,10}-[0-9]{4}-[0-9]{6,10}$"
IN_WORDS = {
    PRINTABLE: "must be text in one line, without control characters",
    LINES: "must be text without control characters",
    READABLE: "must be text in one line with a letter or a digit in it",
    PRINTED: "must be printable ASCII characters without blanks",
    PRINTED_OR_BLANK: "must be printable ASCII characters",
    TWO_CAPITALS: "must be two capital letters such as DE",
    POSTCODE: "must have only letters from A to Z, digits, blanks and hyphens",
    VAT_NUMBER: "must have only letters from A to Z, digits, blanks and . + * / -",
    ZONE: "must be an IANA name such as Europe/Berlin",
    INVOICE_NUMBER: "must be the number of an invoice or credit note, such as INV-2026-000001",
}
"""what a pattern asks for"""


def _address_alone(value: object) -> object:
    if isinstance(value, str) and "<" in value:
        raise ValueError("give the address alone, such as ada@example.com, without a name")
    return value


Email = Annotated[EmailStr, BeforeValidator(_address_alone), Field(max_length=254)]


def _not_encoded(address: str) -> str:
    if looks_encoded(address):
        raise ValueError("must not contain =?, where mail programs see encoded text")
    return address


ReachableEmail = Annotated[Email, AfterValidator(_not_encoded)]
"""of somebody to whom letters go"""
Instant = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""RFC 3339, UTC"""
Code = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=60, pattern=PRINTABLE)]
"""of a product or tier, as the catalogue has it"""


def _readable(name: str) -> str:
    if is_blank(name) or not is_printable(name):
        raise ValueError(IN_WORDS[READABLE])
    if names_a_web_address(name):
        raise ValueError("must be a name, not a web address")
    return name


Name = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=READABLE), AfterValidator(_readable)
]
"""name of an account or a person: letters greet by it, and the recipient has not necessarily asked for one"""
Token = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=255, pattern=PRINTED)]
"""of the payment provider"""
METHOD_OF_A_CARD = (
    "id of a card's PaymentMethod (`pm_...`), made in the customer's browser by Stripe.js (Elements) with the publishable key of the same Stripe account, "
    "in the same mode (test or live), as the secret key in use here. A token (`tok_...`), a SetupIntent (`seti_...`) or a PaymentMethod from elsewhere "
    "is refused (`payment-method-refused` with the `decline_code` `resource_missing`)"
)
"""what `Token` is"""


def _without_fraction(number: object) -> object:
    """JSON has one kind of number, and to JSON Schema 2.0 is an integer."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


INT64: dict[str, Any] = {"format": "int64"}
"""more than 32 bits: a reader's own type must be wide enough"""
Int64 = Annotated[int, Field(json_schema_extra=INT64)]
Seats = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63, json_schema_extra=INT64), BeforeValidator(_without_fraction)]
"""a rule sets the real limit, with a better answer"""


def _digits(text: object) -> object:
    if isinstance(text, str) and re.fullmatch("-?[0-9]+", text) is None:
        raise PydanticKnownError("int_parsing")
    return text


DIGITS = BeforeValidator(_digits)
"""for an integer in a query or a header: `int` would also read 1_0, 5.0, +5 and blanks"""


def _as_in_json(given: str) -> object:
    """Pydantic would take `yes`, `1` and `on`, too, which are not described."""
    return {"true": True, "false": False}.get(given, "")


TRUE_OR_FALSE = BeforeValidator(_as_in_json)
"""for a boolean in a query"""

LOCATION: dict[str, Any] = {
    "Location": {
        "description": "address of what was made",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    }
}
"""a response's headers, for OpenAPI"""


class Wanted(BaseModel):
    """A request body: unknown fields are refused, so that a misspelled one is noticed."""

    model_config = ConfigDict(extra="forbid")


def _some_of_it(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)
    schema["minProperties"] = 1


class Patch(Wanted):
    """A request body of which only what is there is changed.

    Its schema shows no defaults: a client that fills them in would change what nobody meant to.
    """

    model_config = ConfigDict(json_schema_extra=_some_of_it)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("has nothing to change")
        return self


class Shown(BaseModel):
    """Part of an answer in which nothing is left out, not even what has a default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Period(BaseModel):
    start: Instant
    end: Instant


def rate_text(rate: Decimal) -> str:
    """A tax rate in per cent with no more digits than it needs: "19", "20", "8.1"."""
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
