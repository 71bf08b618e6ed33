"""What the errors of all layers have in common."""


class Explained(Exception):
    """Its message tells the person who gave the command what is wrong and what to do; a traceback would add nothing."""


class Unknown(Explained, LookupError):
    """There is nothing by the name or id that a person gave."""
