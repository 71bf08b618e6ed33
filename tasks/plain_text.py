"""Text that somebody else wrote, for places where it must be nothing but text."""

import re
from typing import Final

UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""line breaks, control characters and changes of direction"""


def one_line(text: str) -> str:
    """`text` without any of them: a name must not pose as our own words, nor steer a terminal."""
    return UNPRINTABLE.sub(" ", text).strip()
