"""Why an amount is what it is."""

from pydantic import BaseModel, Field

from models.accounts import Language


class LineExplanation(BaseModel):
    position: int = Field(description="the line's in the quote or order")
    title: str = Field(examples=["Desk Team"])
    sentences: list[str] = Field(
        examples=[["You buy Desk Team, 10 seats, for the period from 1 to 30 November 2026: 10 × €10.00 = €100.00."]]
    )


class ExplanationView(BaseModel):
    """Every figure, in the account's language (an order's: the one that it was placed in); whoever works it out again from these sentences gets the same amount to the cent.

    A quote, and an order that is not completed, is told as what is to come ("you buy"), a completed order as what is done ("you bought").
    The settlement says what is due; of an order that is completed, or past its payment, how it was or is to be paid, as its letters do; of one that was
    rejected, cancelled or refunded, or is being refunded, only where it stands, and the sum of the lines. The lines say what was ordered; if the VAT of a completed order was corrected later, the settlement goes on to say so, and what is still owed.
    """

    language: Language
    lines: list[LineExplanation]
    settlement: list[str] = Field(
        description="how the sum of the lines is settled",
        examples=[
            ["All lines together: net €100.00 and VAT €19.00 make €119.00.", "Charged to Visa •••• 4242: €119.00."]
        ],
    )
