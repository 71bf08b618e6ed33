"""Smallest charges and decimal places, from https://docs.stripe.com/currencies (the table of minimums, zero- and three-decimal)."""

from api_stub.stand_ins.stripe.errors import malformed

ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
TWO_DECIMAL = frozenset({
    "aed", "aud", "bgn", "brl", "cad", "chf", "cny", "czk", "dkk", "eur", "gbp", "hkd", "huf", "ils", "inr", "isk", "mxn",
    "myr", "nok", "nzd", "php", "pln", "ron", "sek", "sgd", "thb", "try", "twd", "ugx", "usd", "zar",
})  # fmt: skip
HUNDREDS = frozenset({"isk", "ugx"})
"""Without decimals, and counted in hundredths all the same."""

SMALLEST_CHARGE = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
LARGEST_CHARGE = 99_999_999


def decimals(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def display(amount: int, currency: str) -> str:
    """`12.34 eur`, `1200 jpy`."""
    places = decimals(currency)
    if places == 0:
        return f"{amount} {currency}"
    return f"{amount // 10**places}.{amount % 10**places:0{places}} {currency}"


def check_amount(amount: int, currency: str) -> None:
    if currency not in ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL:
        raise malformed(f"Invalid currency: {currency}", param="currency")
    if amount < 1:
        raise malformed(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    smallest = SMALLEST_CHARGE.get(currency, 1)
    if amount < smallest:
        raise malformed(
            f"Amount must be at least {display(smallest, currency)}", code="amount_too_small", param="amount"
        )
    if amount > LARGEST_CHARGE:
        raise malformed(
            f"Amount must be no more than {display(LARGEST_CHARGE, currency)}", code="amount_too_large", param="amount"
        )
    if currency in HUNDREDS and amount % 100:
        raise malformed(
            "Amounts in this currency must be divisible by 100.", code="parameter_invalid_integer", param="amount"
        )
    if currency in THREE_DECIMAL and amount % 10:
        raise malformed("Amounts in three-decimal currencies must be divisible by ten.", param="amount")
