"""Accounts: who they are, and their contacts."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api_stub.access import account_of
from api_stub.auth import AccountsReader, AccountsWriter
from api_stub.edge.json_bodies import JsonRoute
from api_stub.problems import refusals
from api_stub.problems.details import Problem, not_found
from api_stub.problems.problem_types import refuses
from api_stub.schemas.accounts import (
    AccountPatch,
    AccountView,
    ContactList,
    ContactPatch,
    ContactView,
    ContactWanted,
)
from api_stub.schemas.paging import USUAL, After, Limit, page
from api_stub.schemas.values import LOCATION
from models.account_lock import lock_account
from models.accounts import NOT_ERASED, Account, Contact
from models.base import uuid7
from models.rules import vat
from models.rules.refusals import Refusal, RefusalCode
from tasks.wiring import begin, now, policy

router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["accounts"], route_class=JsonRoute)


@router.get("", summary="An account")
def show_account(account_id: UUID, caller: AccountsReader) -> AccountView:
    with begin() as session:
        return AccountView.model_validate(account_of(session, caller, account_id), from_attributes=True)


@router.patch("", summary="Change an account", responses=refuses("vat-number-invalid"))
def change_account(account_id: UUID, wanted: AccountPatch, caller: AccountsWriter) -> AccountView:
    """Quotes made before are checked against the account as it is when their order is carried out."""
    with begin() as session:
        account = account_of(session, caller, account_id)
        for name in wanted.model_fields_set:
            setattr(account, name, getattr(wanted, name))
        if wanted.model_fields_set & {"vat_number", "country"}:
            _require_plausible_vat_number(session, account)
        session.flush()
        return AccountView.model_validate(account, from_attributes=True)


@router.get("/contacts", summary="The account's people")
def list_contacts(account_id: UUID, caller: AccountsReader, after: After = None, limit: Limit = USUAL) -> ContactList:
    ever = select(Contact).where(Contact.account_id == account_id)
    with begin() as session:
        account_of(session, caller, account_id)
        shown, next_after = page(
            session, ever.where(NOT_ERASED), among=ever, by=(Contact.id,), after=after, limit=limit
        )
        contacts = [ContactView.model_validate(each, from_attributes=True) for each in shown]
    return ContactList(contacts=contacts, next_after=next_after)


@router.post(
    "/contacts",
    status_code=201,
    summary="Add a person",
    responses=refuses("email-taken") | {201: {"headers": LOCATION}},
)
def add_contact(account_id: UUID, wanted: ContactWanted, caller: AccountsWriter, response: Response) -> ContactView:
    """After a lost answer, send it again: if the contact was added, the answer is `email-taken` with its `contact_id`."""
    with begin() as session:
        account_of(session, caller, account_id)
        values = {"id": uuid7(), "account_id": account_id, **wanted.model_dump(), "email": wanted.email.lower()}
        added = upsert(Contact).values(**values).on_conflict_do_nothing().returning(Contact)
        contact = session.scalar(added)
        if contact is None:
            raise _taken(session, account_id, values["email"])
        response.headers["Location"] = f"/v1/accounts/{account_id}/contacts/{contact.id}"
        return ContactView.model_validate(contact, from_attributes=True)


@router.get("/contacts/{contact_id}", summary="A person")
def show_contact(account_id: UUID, contact_id: UUID, caller: AccountsReader) -> ContactView:
    with begin() as session:
        account_of(session, caller, account_id)
        return ContactView.model_validate(_contact(session, account_id, contact_id), from_attributes=True)


@router.patch(
    "/contacts/{contact_id}",
    summary="Rename a person, or let them order or not",
    responses=refuses("last-billing-contact"),
)
def change_contact(account_id: UUID, contact_id: UUID, wanted: ContactPatch, caller: AccountsWriter) -> ContactView:
    """An account keeps at least one billing contact: somebody must be able to order."""
    with begin() as session:
        account_of(session, caller, account_id)
        lock_account(session, account_id)
        contact = _contact(session, account_id, contact_id)
        could_order = contact.is_billing_contact
        for name in wanted.model_fields_set:
            setattr(contact, name, getattr(wanted, name))
        session.flush()
        billing = select(Contact.id).where(Contact.account_id == account_id, Contact.is_billing_contact).limit(1)
        if could_order and session.scalar(billing) is None:
            raise Problem(
                409,
                "last-billing-contact",
                "Somebody must be able to order; make another contact a billing contact first.",
            )
        return ContactView.model_validate(contact, from_attributes=True)


def _taken(session: Session, account_id: UUID, email: str) -> Problem:
    there = session.scalar(select(Contact.id).where(Contact.account_id == account_id, Contact.email == email))
    named: dict[str, Any] = {} if there is None else {"contact_id": str(there)}  # None: erased in this very moment
    return Problem(409, "email-taken", "The account has a contact with this email address already.", **named)


def _contact(session: Session, account_id: UUID, contact_id: UUID) -> Contact:
    of_account = Contact.id == contact_id, Contact.account_id == account_id
    contact = session.scalar(select(Contact).where(*of_account, NOT_ERASED))
    if contact is None:
        raise not_found("contact")
    return contact


def _require_plausible_vat_number(session: Session, account: Account) -> None:
    """What format and check digits can say; the registry is asked when something is ordered.

    Of the seller's own country, too, although there the number decides no tax: the account may be invoiced on it.
    """
    decision = vat.decide(
        seller_country=policy().seller.country,
        buyer_country=account.country,
        vat_number=account.vat_number,
        buyer_type=account.buyer_type.value,
        tax_point=now(),
        postcode=account.postcode,
    )
    counts = account.buyer_type is vat.BuyerType.BUSINESS and decision.treatment is not vat.Treatment.OUT_OF_SCOPE
    if counts and vat.is_malformed(account.vat_number, country=account.country):
        refusal = Refusal(RefusalCode.VAT_NUMBER_INVALID, facts={"country": account.country})
        raise refusals.about_field(session, refusal, account.language, at="/vat_number")
