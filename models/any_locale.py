"""Texts compared without regard to capitals, whatever the database's locale: in "C", lower() knows only ASCII's, in Turkish, other ones."""

import re

from sqlalchemy import ColumnElement, SQLColumnExpression, collate, func

_SURE = re.compile("[^a-hjl-z0-9@._+-]+")
"""what is no letter that `lower` may only have made of itself or of its capital: i and k are those of U+0130 and U+212A, too"""


def may_contain(text: SQLColumnExpression[str], part: str) -> ColumnElement[bool]:
    """Whether `part` may stand in `text`, both in Python's lower case; Python then has to decide. None that it would find is left out."""
    pattern = _SURE.sub("%", part.lower())  # a _ stands for any one character, itself among them
    return func.lower(collate(text, "C")).like(f"%{pattern}%")
