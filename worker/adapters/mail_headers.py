"""A letter's headers as lines: folded, in ASCII where they must be, and unable to start a header of their own.

The parts that people read (the subject, the sender's name) are encoded as a whole. An address is written as it is: an encoded word means
nothing in one (RFC 2047, 5), but the standard library would decode it. Its email policy folds only the other headers: where one encoded
word follows another, it loses a space or adds one.
"""

import re
from email.header import Header
from email.headerregistry import Address
from email.policy import SMTP
from functools import lru_cache

PLAIN = re.compile(r"(?!.*=\?)[!-~](?:[ -~]*[!-~])?")
"""text that needs no encoding, and cannot be mistaken for encoded text"""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
LONGEST = 78
"""characters of a line"""
_FOLDED = re.compile(r".{0,77}[!-~](?= [!-~]|$)")
"""a line that ends where a single space begins the next"""


def header_text(text: str) -> str:
    """`text` without control characters: a line break in the name of a customer or product must not begin a new header."""
    return CONTROL.sub(" ", text).strip()


def addressed(name: str, address: str) -> str:
    """A header that is one address, already checked, on one line however long it is."""
    return f"{name}: {address}\r\n"


@lru_cache(maxsize=64)
def sender(address: str, name: str) -> str:
    """The From header."""
    name = header_text(name)
    if not name:
        return addressed("From", address)
    username, _, domain = address.rpartition("@")
    shown = str(Address(display_name=name, username=username, domain=domain))
    if PLAIN.fullmatch(shown) and len(f"From: {shown}") <= LONGEST:
        return addressed("From", shown)
    words = _encoded("From", name)
    plain = f"<{address}>"
    last = f"From: {words} {plain}".rpartition("\r\n")[2]
    between = " " if len(last) <= LONGEST else "\r\n "
    return f"From: {words}{between}{plain}\r\n"


@lru_cache(maxsize=64)
def subject(text: str) -> str:
    """The Subject header. ASCII stays readable, unless a word fills a line or looks encoded."""
    text = header_text(text)
    line = f"Subject: {text}"
    folded = _FOLDED.findall(line)
    if PLAIN.fullmatch(text) and "".join(folded) == line and folded[0] != "Subject:":
        return "".join(f"{each}\r\n" for each in folded)
    return f"Subject: {_encoded('Subject', text)}\r\n"


def header(name: str, value: str) -> str:
    """Any other header."""
    line = f"{name}: {value}\r\n"
    if name == "Message-ID" or (len(line) <= LONGEST + 2 and PLAIN.fullmatch(value)):
        return line
    return _by_policy(name, value)


@lru_cache(maxsize=64)
def _by_policy(name: str, value: str) -> str:
    policy = SMTP.clone(cte_type="7bit")
    folded: str = policy.fold(*policy.header_store_parse(name, value))
    return folded


def _encoded(name: str, text: str) -> str:
    return Header(text, "utf-8", header_name=name, maxlinelen=76).encode(linesep="\r\n")
