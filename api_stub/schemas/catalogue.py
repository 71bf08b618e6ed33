"""What a shop may show of the catalogue."""

from pydantic import BaseModel, Field

from api_stub.schemas.amounts import Money
from api_stub.schemas.values import Instant
from models.accounts import Language
from models.rules.period import Interval


class PriceView(BaseModel):
    interval: Interval
    unit_price: Money = Field(description="per seat and period, net; its text is in the answer's `language`")


class TierView(BaseModel):
    """A plan. Without a price it is not sold any more, nor is there a trial of it; customers who have it keep it."""

    code: str = Field(description="the `tier` of a cart's line and of a subscription", examples=["team"])
    name: str = Field(description="for people; the same in every language", examples=["Team"])
    prices: list[PriceView] = Field(
        description="by interval, then currency. A cart is for sale at the prices in its account's currency only"
    )


class ProductView(BaseModel):
    code: str = Field(description="the `product` of a cart's line and of a subscription", examples=["board"])
    name: str = Field(description="for people; the same in every language", examples=["Prorata Board"])
    trial_days: int | None = Field(description="how long a trial lasts; null where there is none", examples=[14])
    tiers: list[TierView] = Field(
        description="the lowest first: a customer changes to a later one online, and asks support for an earlier one"
    )


class CatalogueView(BaseModel):
    """What is sold now. Tax is not in it: a quote says what an account will be charged."""

    version: int | None = Field(
        description="of the prices; a new one comes with each change of them. null: nothing is sold yet", examples=[1]
    )
    effective_from: Instant | None = Field(description="since when these prices count")
    language: Language = Field(description="in which amounts are written")
    products: list[ProductView] = Field(description="by code")
