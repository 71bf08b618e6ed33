"""What the errors of all layers have in common."""


class Explained(Exception):
    """Its message tells the person who gave the command what is wrong and what to do; a traceback would add nothing."""


class Unknown(Explained, LookupError):
    """Nothing has the name or id that was given."""
