"""Errors that the rules raise for arguments they cannot work with; each message says what was wrong and what to do."""


class RuleError(ValueError):
    """Base of every error in `models.rules`; its message is a sentence for the rule's caller."""


class WrongType(RuleError, TypeError):
    """A value of the wrong kind, such as a float for money: caught by `except ValueError` and by `except TypeError`."""
