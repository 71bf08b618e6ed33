"""What ends a measurement, in a message for whoever started it."""


class MeasurementFailed(Exception):
    """There is no figure to tell; the message says what stood in the way first."""


class OrdersRefused(MeasurementFailed):
    """Requests were refused where none may be: a refusal is quicker than an order, and would count as one."""


class OrderEndedOtherwise(MeasurementFailed):
    """An order came to rest in a status that this load does not expect, so it will never be done."""
