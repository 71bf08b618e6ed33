"""The timeline is told in words: an entry without a text would be shown as its kind, spelled out."""

import pytest

from api_stub.views import timeline
from models.states import LetterStatus, OrderStatus
from models.timeline_kinds import Kind
from tasks.ports import VatStatus

OF_A_STATUS = [
    *(f"order.{status}" for status in OrderStatus if status is not OrderStatus.OPEN),
    *(f"letter.{status}" for status in LetterStatus if status is not LetterStatus.SENDING),
    *(f"vat.{status}" for status in VatStatus),
]


@pytest.mark.parametrize("kind", [*Kind, *OF_A_STATUS])
def test_each_kind_of_entry_has_a_text(kind: str) -> None:
    assert kind in timeline._TEXT, "missing in api_stub/views/timeline.py: _TEXT"
