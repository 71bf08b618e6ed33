"""What is wrong with a setting is said by its name, all of it at once, and without its value."""

import re
from pathlib import Path

import pytest

from tests.support.command import PRODUCTION, SETTINGS, Command, prorata_of_its_own
from worker import example_seller
from worker.environment import FOR_OTHERS, ignored


@pytest.mark.parametrize(
    "command",
    ["settings", "orders list", "api", "worker orders", "keys issue shop"],
)
def test_every_missing_setting_is_named(prorata: Command, command: str) -> None:
    ended = prorata(*command.split())
    assert ended.status == 2
    for name in SETTINGS:
        assert f"  {name}: must be set\n" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("beat", ["PRORATA_DATABASE_URL", "PRORATA_BROKER_URL"]),
        ("db upgrade", ["PRORATA_DATABASE_URL"]),
        ("db downgrade 0008", ["PRORATA_DATABASE_URL"]),
        ("worker-health", ["PRORATA_BROKER_URL"]),
    ],
)
def test_what_asks_neither_stripe_nor_the_mail_server_needs_no_secret_of_theirs(
    prorata: Command, command: str, needed: list[str]
) -> None:
    ended = prorata(*command.split())
    assert (ended.status, re.findall(r"^  (\w+): must be set$", ended.err, re.MULTILINE)) == (2, needed)


def test_a_setting_that_is_given_in_two_spellings_is_refused(prorata: Command) -> None:
    ended = prorata("settings", **SETTINGS, prorata_smtp_host="mail.example")
    assert (ended.status, ended.err.splitlines()[1:]) == (
        2,
        ["  PRORATA_SMTP_HOST: is given more than once: PRORATA_SMTP_HOST, prorata_smtp_host"],
    )


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        ("beat", ["PRORATA_DATABASE_URL", "PRORATA_BROKER_URL", "PRORATA_FLOWER_LOGIN"]),
        ("db upgrade", ["PRORATA_DATABASE_URL"]),
        ("worker-health", ["PRORATA_BROKER_URL", "PRORATA_FLOWER_LOGIN"]),
    ],
)
def test_in_production_they_refuse_the_passwords_of_development(
    prorata: Command, command: str, refused: list[str]
) -> None:
    for_development = {
        "PRORATA_DATABASE_URL": "postgresql+psycopg://prorata:development@postgres:5432/prorata",
        "PRORATA_BROKER_URL": "redis://:development@redis:6379/0",
        "PRORATA_FLOWER_LOGIN": "admin:development",
    }
    ended = prorata(*command.split(), PRORATA_ENVIRONMENT="production", **for_development)
    named = re.findall(r"^  (\w+): in production must have a password of its own", ended.err, re.MULTILINE)
    assert (ended.status, named) == (2, refused)


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(prorata: Command) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_BROKER_URL": "amqp://:secret@broker"})
    assert ended.status == 2
    assert "PRORATA_BROKER_URL: must start with redis:// or rediss://" in ended.err
    assert "secret" not in ended.err


LOGINS = {
    "PRORATA_SMTP_USERNAME": "postman",
    "PRORATA_SMTP_PASSWORD": "secret",
    "PRORATA_FLOWER_LOGIN": "ops:secret",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", [*SETTINGS, *LOGINS])
def test_a_secret_that_brings_the_end_of_its_line_along_is_refused(prorata: Command, name: str, end: str) -> None:
    given = SETTINGS | LOGINS
    ended = prorata("settings", **given | {name: given[name] + end})
    assert ended.status == 2
    assert re.search(rf"^  {name}: contains (whitespace|a line break) or a control character", ended.err, re.MULTILINE)
    assert "secret" not in ended.err


@pytest.mark.parametrize("name", ["PRORATA_MAIL_FROM", "PRORATA_MAIL_REPLY_TO", "PRORATA_SUPPORT_EMAIL"])
def test_an_address_with_a_name_is_refused_because_the_name_would_be_lost(prorata: Command, name: str) -> None:
    ended = prorata("settings", **SETTINGS | {name: "Billing <billing@customer.example>"})
    assert (ended.status, f"  {name}: must be just an address" in ended.err) == (2, True)


@pytest.mark.parametrize("name", ["PRORATA_MAIL_FROM", "PRORATA_MAIL_REPLY_TO"])
def test_an_address_that_mail_programs_would_decode_is_refused_as_a_sender(prorata: Command, name: str) -> None:
    ended = prorata("settings", **SETTINGS | {name: "=?utf-8?q?billing?=@customer.example"})
    assert (ended.status, ended.out) == (2, "")
    assert f"  {name}: must not contain =?, where mail programs see encoded text\n" in ended.err


@pytest.mark.parametrize("name", ["PRORATA_STRIPE_API_KEY", "PRORATA_STRIPE_WEBHOOK_SECRET"])
def test_stripe_s_secrets_are_ascii(prorata: Command, name: str) -> None:
    ended = prorata("settings", **SETTINGS | {name: "sk_test_sécret"})
    assert (ended.status, f"  {name}: contains a character outside ASCII" in ended.err) == (2, True)
    assert "cret" not in ended.err


OF_TLS = "takes the options ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs"
DATABASE, BROKER = "postgresql+psycopg://", "redis://"
PERCENT_ENCODE = "cannot be read; percent-encode / ? # @ : ; [ ] in the password"
ONE_HOST = "names its host or port in a way that cannot be read: write @db:5432/ or ?host=db&port=5432, of IPv6 @[::1]:5432/ or ?host=::1&port=5432; a name has at most 63 characters between dots"
ENCODED_HOST = "has a % in its host, which is not decoded there: a socket's folder is written @/DATABASE?host=/path"
SEVERAL_HOSTS = "names its hosts in a way that cannot be read: several are written ?host=a:5432&host=b:5432, of IPv6 ?host=::1,::2&port=5432,5432"


@pytest.mark.parametrize(
    "address",
    [
        f"{DATABASE}x:HUSH/QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH#QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH?QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH[QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH@QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH@1/QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:12/QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:12#QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:12?QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH\u2100QUIET@127.0.0.1:5432/prorata",
        f"{DATABASE}x:HUSH@127.0.0.1:5x/prorata",
        f"{BROKER}:HUSH/QUIET@127.0.0.1:6379/0",
        f"{BROKER}:HUSH#QUIET@127.0.0.1:6379/0",
        f"{BROKER}:HUSH@QUIET@127.0.0.1:6379/0",
        f"{BROKER}:HUSH;QUIET@127.0.0.1:6379/0",
        f"{BROKER}:12/QUIET@127.0.0.1:6379/0",
        f"{BROKER}:HUSH@127.0.0.1:99999/0",
        "rediss://:HUSH/QUIET@127.0.0.1:6379/0?ssl_ca_certs=QUIET",
    ],
)
def test_an_address_whose_password_cannot_be_read_is_refused_without_a_word_of_it(
    prorata: Command, address: str
) -> None:
    name = "PRORATA_DATABASE_URL" if address.startswith(DATABASE) else "PRORATA_BROKER_URL"
    ended = prorata("settings", **SETTINGS | {name: address})
    assert ended.status == 2
    assert f"  {name}: {PERCENT_ENCODE}" in ended.err
    assert not any(part in ended.out + ended.err for part in ("HUSH", "QUIET", "12/", "Traceback"))


HUSHED = SETTINGS | {
    "PRORATA_DATABASE_URL": f"{DATABASE}x:HUSH/QUIET@127.0.0.1:5432/prorata",
    "PRORATA_BROKER_URL": f"{BROKER}:HUSH/QUIET@127.0.0.1:6379/0",
}


@pytest.mark.parametrize(
    ("command", "addresses"), [("orders list", 2), ("db upgrade", 1), ("api", 2), ("beat", 2), ("worker", 2)]
)
def test_no_command_says_a_word_of_a_password(prorata: Command, command: str, addresses: int) -> None:
    ended = prorata(*command.split(), **HUSHED)
    assert (ended.status, ended.out, ended.err.count(PERCENT_ENCODE)) == (2, "", addresses)
    assert not any(part in ended.err for part in ("HUSH", "QUIET", "Traceback"))


def test_a_health_check_says_no_word_of_a_password() -> None:
    ended = prorata_of_its_own("worker-health", **HUSHED)
    assert (ended.status, ended.out, ended.err.count(PERCENT_ENCODE)) == (2, "", 1)
    assert not any(part in ended.err for part in ("HUSH", "QUIET", "Traceback"))


@pytest.mark.parametrize(
    ("name", "address", "why"),
    [
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata", "names no host"),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@host/prorata?foo=HUSH", "PostgreSQL's library has no option foo"),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@one:5432,two:5433/prorata", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=::1&host=127.0.0.1&port=1,2", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=[::1]:5432&host=two:5432", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=[::1]", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=one:HUSH", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@one/prorata?port=x", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@one;5432/prorata", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@{'x' * 64}/prorata", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host={'x' * 64}.example", ONE_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@%2Fvar%2Frun%2Fpostgresql/prorata", ENCODED_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@%2fvar%2frun%2fpostgresql:5432/prorata", ENCODED_HOST),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=::1&host=two:5432", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=one:5432,two:5432", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=one:HUSH&host=two", SEVERAL_HOSTS),
        ("PRORATA_DATABASE_URL", f"{DATABASE}x:HUSH@/prorata?host=one,two&port=1,2,3", SEVERAL_HOSTS),
        ("PRORATA_BROKER_URL", f"{BROKER}:HUSH@/0", "names no host"),
        ("PRORATA_BROKER_URL", f"{BROKER}:HUSH@host/foo", "must end with a database number such as /0"),
        ("PRORATA_BROKER_URL", f"{BROKER}:HUSH@host/0?foo=HUSH", f"{OF_TLS} only, not foo"),
        (
            "PRORATA_BROKER_URL",
            "rediss://:HUSH@host/0?ssl_check_hostname=false",
            f"{OF_TLS} only, not ssl_check_hostname",
        ),
        ("PRORATA_BROKER_URL", "rediss://:HUSH@host/0?ssl_ciphers=NULL", f"{OF_TLS} only, not ssl_ciphers"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_the_start(
    prorata: Command, name: str, address: str, why: str
) -> None:
    ended = prorata("settings", **SETTINGS | {name: address})
    assert (ended.status, "HUSH" in ended.err) == (2, False)
    assert f"  {name}: {why}\n" in ended.err


@pytest.mark.parametrize(
    "address",
    [
        f"{DATABASE}user:password@host/prorata",
        f"{DATABASE}user:p%2Fa%23s%40s%3A@host:5432/prorata?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
        f"{DATABASE}user:pass:word@[::1]:5432/prorata",
        f"{DATABASE}user:password@[fe80::1%eth0]/prorata",
        f"{DATABASE}user:password@/prorata?host=/run/postgresql",
        f"{DATABASE}/prorata?host=/run/postgresql&port=5433",
        f"{DATABASE}user@/prorata?host=one:5432&host=two:5432&target_session_attrs=read-write",
        f"{DATABASE}user@/prorata?host=::1,::2&port=5432,5432&target_session_attrs=read-write",
        f"{DATABASE}user@one,two/prorata",
        f"{DATABASE}/?service=prorata",
        f"{BROKER}host",
        f"{BROKER}host:6379/",
        f"{BROKER}:se%40cret%2F@host:6379/7",
        f"{BROKER}user:password@[::1]/0",
        "rediss://:password@host:6379/0?ssl_cert_reqs=none",
    ],
)
def test_an_address_that_everybody_reads_alike_is_taken(prorata: Command, address: str) -> None:
    name = "PRORATA_DATABASE_URL" if address.startswith(DATABASE) else "PRORATA_BROKER_URL"
    assert prorata("settings", **SETTINGS | {name: address}).status == 0


def test_a_database_at_a_socket_that_is_not_there_is_named(prorata: Command, tmp_path: Path) -> None:
    address = f"{DATABASE}nobody:secret@/nothing?host={tmp_path}"
    ended = prorata("orders", "list", **SETTINGS | {"PRORATA_DATABASE_URL": address})
    assert ended.err.startswith("The database at its socket:5432/nothing does not answer (PRORATA_DATABASE_URL): ")
    assert "secret" not in ended.err


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SMTP_PORT", "smtp", "must be a whole number"),
        ("SMTP_PORT", "0", "must be at least 1"),
        ("DATABASE_POOL_SIZE", "1", "must be at least 2"),
        ("DATABASE_POOL_SIZE", "201", "must be at most 200"),
        ("SWEEP_SECONDS", "soon", "must be a number"),
        ("SWEEP_SECONDS", "0", "must be more than 0"),
        ("SWEEP_SECONDS", "nan", "must be at most 30"),
        ("INVOICE_ON_VAT", "perhaps", "must be true or false"),
        ("ENVIRONMENT", "staging", "must be 'development', 'test' or 'production'"),
        ("SMTP_TLS", "ssl", "must be 'none', 'starttls' or 'tls'"),
        ("VAT_OUTAGE", "wait", "must be 'provisional', 'charge_vat' or 'hold'"),
        ("PRORATION_GRANULARITY", "hour", "must be 'second' or 'day'"),
        ("PUBLIC_URL", "billing.kanban.example", "must be a complete address such as https://billing.company.example"),
        ("VIES_BASE_URL", "ftp://vies.example", "must start with http:// or https://"),
        ("SELLER_NAME", " ", "must not be blank"),
        ("SELLER_ADDRESS", "\u00a0", "must not be blank"),
        ("MAIL_FROM_NAME", " ", "must not be blank"),
        ("SELLER_BANK_ACCOUNT", "x" * 201, "must have at most 200 characters"),
    ],
)
def test_a_value_outside_its_limits_is_refused_with_what_it_must_be(
    prorata: Command, name: str, value: str, why: str
) -> None:
    ended = prorata("settings", **SETTINGS | {f"PRORATA_{name}": value})
    assert (ended.status, ended.out) == (2, "")
    assert f"  PRORATA_{name}: {why}\n" in ended.err


@pytest.mark.parametrize("country", ["US", "de", "Germany"])
def test_a_seller_whose_taxes_nobody_here_knows_is_refused_at_the_start(prorata: Command, country: str) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_SELLER_COUNTRY": country})
    assert ended.status == 2
    assert "PRORATA_SELLER_COUNTRY: must be a country whose VAT is known: AT, BE" in ended.err


@pytest.mark.parametrize(
    "host",
    [
        "mail.example.com:587",
        "smtp://mail.example.com",
        "[::1]",
        "[::1]:587",
        "user@mail.example.com",
        "mail..example.com",
        "x" * 64,
        "smtp1.example.com,smtp2.example.com",
        "mail.example.com;587",
        "mail.example.com#587",
        "mail.example.com?x=1",
        "mail.example.com%3A587",
    ],
)
def test_a_mail_server_that_is_no_host_alone_is_refused_before_anybody_is_charged(prorata: Command, host: str) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_SMTP_HOST": host})
    assert (ended.status, ended.out) == (2, "")
    assert "  PRORATA_SMTP_HOST: must be a host's name or address alone" in ended.err
    assert ended.err.rstrip().endswith("the port is PRORATA_SMTP_PORT")


@pytest.mark.parametrize(
    "host", ["mail.example.com", "192.0.2.1", "::1", "fe80::1%eth0", "bücher.example", "mail.example."]
)
def test_a_mail_server_s_name_or_address_is_taken(prorata: Command, host: str) -> None:
    assert prorata("settings", **SETTINGS | {"PRORATA_SMTP_HOST": host}).status == 0


NOBODY = "must not contain a user or a password: this address is shown and logged"
BEGINS_OTHERS = "must end with the host or a path, without ? or #: paths are put behind it"
ONE_LOGIN = "must be user:password, without a comma: Flower takes what follows one as a second login"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("PRORATA_API_RATE_LIMIT", "0/minute", "must allow at least one request"),
        ("PRORATA_API_RATE_LIMIT", "many", "couldn't parse rate limit string 'many'"),
        ("PRORATA_STRIPE_API_BASE", "https://user:HUSH@gateway.example", NOBODY),
        ("PRORATA_VIES_BASE_URL", "https://HUSH@gateway.example/vies", NOBODY),
        ("PRORATA_VIES_BASE_URL", "https://:HUSH@gateway.example/vies", NOBODY),
        ("PRORATA_PUBLIC_URL", "https://user:HUSH@billing.example", NOBODY),
        ("PRORATA_CORPORATE_PORTAL_URL", "https://user:HUSH@corporate.example", NOBODY),
        ("PRORATA_PUBLIC_URL", "https://billing.example/?HUSH", BEGINS_OTHERS),
        ("PRORATA_PUBLIC_URL", "https://billing.example/#", BEGINS_OTHERS),
        ("PRORATA_STRIPE_API_BASE", "https://gateway.example?", BEGINS_OTHERS),
        ("PRORATA_VIES_BASE_URL", "https://gateway.example/vies#HUSH", BEGINS_OTHERS),
        ("PRORATA_MAIL_REPLY_TO", "HUSH", "value is not a valid email address: An email address must have an @-sign."),
        ("PRORATA_FLOWER_LOGIN", "HUSH", ONE_LOGIN),
        ("PRORATA_FLOWER_LOGIN", "HUSH:", ONE_LOGIN),
        ("PRORATA_FLOWER_LOGIN", ":HUSH", ONE_LOGIN),
        ("PRORATA_FLOWER_LOGIN", "admin:HUSH,guest:guest", ONE_LOGIN),
        (
            "PRORATA_STRIPE_API_KEY",
            "pk_test_secret",
            "must be a secret key (sk_...) or a restricted one (rk_...), this is a publishable key",
        ),
    ],
)
def test_what_would_let_nothing_through_is_refused_at_the_start(
    prorata: Command, name: str, value: str, why: str
) -> None:
    ended = prorata("settings", **SETTINGS | {name: value})
    assert (ended.status, value in ended.err.replace(why, "")) == (2, False)
    assert f"  {name}: {why}\n" in ended.err


@pytest.mark.parametrize(
    ("name", "value"), [("PRORATA_API_RATE_LIMIT", "1/minute"), ("PRORATA_STRIPE_API_KEY", "rk_live_secret")]
)
def test_the_least_that_lets_something_through_is_taken(prorata: Command, name: str, value: str) -> None:
    assert prorata("settings", **SETTINGS | {name: value}).status == 0


def test_a_setting_left_empty_is_a_setting_not_given(prorata: Command) -> None:
    assert prorata("settings", **SETTINGS | {"PRORATA_SELLER_COUNTRY": ""}).status == 0


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("PRORATA_WAITING_DAY", "PRORATA_WAITING_DAYS"),
        ("PRORATA_INVOICE_VAT", "PRORATA_INVOICE_ON_VAT"),
        ("PRORATA_SMTP_USER_NAME", "PRORATA_SMTP_USERNAME"),
        ("prorata_smtp_hosts", "PRORATA_SMTP_HOST"),
    ],
)
def test_a_misspelt_setting_is_refused_and_the_right_one_named(prorata: Command, misspelt: str, meant: str) -> None:
    ended = prorata("settings", **SETTINGS | {misspelt: "secret"})
    assert ended.status == 2
    assert f"  {misspelt.upper()}: is not a setting; did you mean {meant}?\n" in ended.err
    assert "secret" not in ended.err


def test_a_misspelt_setting_is_named_beside_the_one_that_is_missing_for_it(prorata: Command) -> None:
    host = SETTINGS["PRORATA_SMTP_HOST"]
    ended = prorata(
        "settings", **{n: v for n, v in SETTINGS.items() if n != "PRORATA_SMTP_HOST"}, PRORATA_SMTPHOST=host
    )
    assert [line.strip() for line in ended.err.splitlines()[1:]] == [
        "PRORATA_SMTP_HOST: must be set",
        "PRORATA_SMTPHOST: is not a setting; did you mean PRORATA_SMTP_HOST?",
    ]


def test_what_others_read_is_no_misspelling_and_what_nobody_reads_is_shown_as_ignored(prorata: Command) -> None:
    others = {f"PRORATA_{name}": "x" for name in FOR_OTHERS}
    ended = prorata("settings", **SETTINGS | others | {"PRORATA_SERVICE_HOST": "10.0.0.1"})
    assert ended.status == 0
    assert [line.split() for line in ended.out.splitlines() if "ignored" in line] == [
        ["PRORATA_SERVICE_HOST", "no", "setting:", "ignored"]
    ]


@pytest.mark.parametrize(("length", "status"), [(1000, 0), (1001, 2)])
def test_a_legal_notice_fits_below_an_invoice(prorata: Command, length: int, status: int) -> None:
    assert prorata("settings", **SETTINGS | {"PRORATA_SELLER_LEGAL_NOTICE": "x" * length}).status == status


def test_every_variable_of_the_example_file_is_read_by_somebody() -> None:
    lines = (Path(__file__).parents[2] / ".env.example").read_text().splitlines()
    names = [line.removeprefix("# ").partition("=")[0] for line in lines]
    assert list(ignored(name for name in names if name.startswith("PRORATA_") and " " not in name)) == []


def test_production_refuses_what_belongs_to_development_and_names_all_of_it(prorata: Command) -> None:
    ended = prorata(
        "settings",
        **SETTINGS | {"PRORATA_ENVIRONMENT": "production", "PRORATA_SMTP_HOST": "mail", "PRORATA_SMTP_TLS": "none"},
    )
    assert ended.status == 2
    assert [line.strip().partition(":")[0] for line in ended.err.splitlines()[1:]] == [
        "PRORATA_SELLER_NAME",
        "PRORATA_SELLER_ADDRESS",
        "PRORATA_MAIL_FROM",
        "PRORATA_SUPPORT_EMAIL",
        "PRORATA_SELLER_VAT_NUMBER",
        "PRORATA_SELLER_BANK_ACCOUNT",
        "PRORATA_SELLER_COUNTRY",
        "PRORATA_PUBLIC_URL",
        "PRORATA_CORPORATE_PORTAL_URL",
        "PRORATA_STRIPE_API_KEY",
        "PRORATA_STRIPE_WEBHOOK_SECRET",
        "PRORATA_SMTP_TLS",
    ]
    assert "secret" not in ended.err


EXAMPLE_NUMBER = {"PRORATA_SELLER_COUNTRY": "DE", "PRORATA_SELLER_VAT_NUMBER": example_seller.VAT_NUMBER}
WITHOUT_ACCOUNT = {"PRORATA_SELLER_BANK_ACCOUNT": ""}


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"PRORATA_SELLER_NAME": "Prorata GmbH"}, "PRORATA_SELLER_NAME"),
        ({"PRORATA_SELLER_NAME": " Prorata GmbH"}, "PRORATA_SELLER_NAME"),
        ({"PRORATA_SELLER_COUNTRY": "", "PRORATA_SELLER_VAT_NUMBER": "DE136695976"}, "PRORATA_SELLER_COUNTRY"),
        ({"PRORATA_SELLER_VAT_NUMBER": ""}, "PRORATA_SELLER_VAT_NUMBER"),
        ({"PRORATA_SELLER_VAT_NUMBER": " "}, "PRORATA_SELLER_VAT_NUMBER"),
        ({"PRORATA_SELLER_VAT_NUMBER": "FR-nonsense"}, "PRORATA_SELLER_VAT_NUMBER"),
        ({"PRORATA_SELLER_VAT_NUMBER": "FR40303265046"}, "PRORATA_SELLER_VAT_NUMBER"),
        ({"PRORATA_SELLER_COUNTRY": "DE"}, "PRORATA_SELLER_VAT_NUMBER"),
        (EXAMPLE_NUMBER, "PRORATA_SELLER_VAT_NUMBER"),
        ({"PRORATA_PUBLIC_URL": "http://billing.kanban.example"}, "PRORATA_PUBLIC_URL"),
        ({"PRORATA_STRIPE_API_KEY": "sk_test_secret"}, "PRORATA_STRIPE_API_KEY"),
        ({"PRORATA_STRIPE_API_KEY": "rk_test_secret"}, "PRORATA_STRIPE_API_KEY"),
        ({"PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_development"}, "PRORATA_STRIPE_WEBHOOK_SECRET"),
        ({"PRORATA_STRIPE_WEBHOOK_SECRET": "x"}, "PRORATA_STRIPE_WEBHOOK_SECRET"),
        ({"PRORATA_STRIPE_API_BASE": "http://stripe-stand-in:12111"}, "PRORATA_STRIPE_API_BASE"),
        ({"PRORATA_VIES_BASE_URL": "http://vies-stand-in:8091"}, "PRORATA_VIES_BASE_URL"),
        ({"PRORATA_BROKER_URL": "redis://:development@broker/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_BROKER_URL": "redis://broker/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_BROKER_URL": "rediss://user@broker/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_DATABASE_URL": "postgresql+psycopg://prorata:development@db/prorata"}, "PRORATA_DATABASE_URL"),
        ({"PRORATA_DATABASE_URL": "postgresql+psycopg://p@db/prorata?password=development"}, "PRORATA_DATABASE_URL"),
        ({"PRORATA_BROKER_URL": "redis://:fifteen-letters@broker/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_BROKER_URL": "rediss://user:x@broker/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_BROKER_URL": "redis://:development@127.0.0.1/0"}, "PRORATA_BROKER_URL"),
        ({"PRORATA_DATABASE_URL": f"{DATABASE}prorata:fifteen-letters@db/prorata"}, "PRORATA_DATABASE_URL"),
        ({"PRORATA_DATABASE_URL": f"{DATABASE}prorata@/prorata?host=db&password=x"}, "PRORATA_DATABASE_URL"),
        ({"PRORATA_DATABASE_URL": f"{DATABASE}prorata:x@localhost/prorata?host=localhost,db"}, "PRORATA_DATABASE_URL"),
        ({"PRORATA_CORPORATE_PORTAL_URL": ""}, "PRORATA_CORPORATE_PORTAL_URL"),
        ({"PRORATA_CORPORATE_PORTAL_URL": "http://corporate.kanban.example"}, "PRORATA_CORPORATE_PORTAL_URL"),
        ({"PRORATA_SMTP_TLS": "none", "PRORATA_SMTP_HOST": "10.0.0.1"}, "PRORATA_SMTP_TLS"),
        ({"PRORATA_FLOWER_LOGIN": "admin:development"}, "PRORATA_FLOWER_LOGIN"),
        ({"PRORATA_FLOWER_LOGIN": "admin:fifteen-letters"}, "PRORATA_FLOWER_LOGIN"),
        ({"PRORATA_DRILL_FOLDER": "/tmp"}, "PRORATA_DRILL_FOLDER"),
        (WITHOUT_ACCOUNT, "PRORATA_SELLER_BANK_ACCOUNT"),
        (WITHOUT_ACCOUNT | {"PRORATA_SELLER_BANK_ACCOUNT": " "}, "PRORATA_SELLER_BANK_ACCOUNT"),
        ({"PRORATA_SELLER_BANK_ACCOUNT": example_seller.BANK_ACCOUNT}, "PRORATA_SELLER_BANK_ACCOUNT"),
        ({"PRORATA_SELLER_BANK_ACCOUNT": "IBAN DE89370400440532013000"}, "PRORATA_SELLER_BANK_ACCOUNT"),
        (WITHOUT_ACCOUNT | {"PRORATA_VAT_OUTAGE": "provisional"}, "PRORATA_SELLER_BANK_ACCOUNT"),
        (
            WITHOUT_ACCOUNT | {"PRORATA_VAT_OUTAGE": "hold", "PRORATA_INVOICE_ON_VAT": "true"},
            "PRORATA_SELLER_BANK_ACCOUNT",
        ),
        ({"PRORATA_BROKER_URL": "rediss://:sixteen-letters-@broker/0?ssl_cert_reqs=none"}, "PRORATA_BROKER_URL"),
    ],
)
def test_production_refuses_a_single_leftover(prorata: Command, chosen: dict[str, str], named: str) -> None:
    ended = prorata("settings", **PRODUCTION | chosen)
    assert ended.status == 2
    assert [line.strip().partition(":")[0] for line in ended.err.splitlines()[1:]] == [named]


def test_a_seller_s_number_is_refused_with_what_it_must_be(prorata: Command) -> None:
    ended = prorata("settings", **PRODUCTION | {"PRORATA_SELLER_VAT_NUMBER": "DE136695976"})
    assert ended.err.splitlines()[1:] == [
        "  PRORATA_SELLER_VAT_NUMBER: in production must be a VAT number of FR (PRORATA_SELLER_COUNTRY) with the right check digits"
    ]


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"PRORATA_SELLER_COUNTRY": "DE", "PRORATA_SELLER_VAT_NUMBER": "DE 136 695 976"},
        {"PRORATA_SELLER_VAT_NUMBER": "40 303 265 045"},
        {"PRORATA_SELLER_COUNTRY": "CH", "PRORATA_SELLER_VAT_NUMBER": ""},
        {"PRORATA_SELLER_COUNTRY": "CH", "PRORATA_SELLER_VAT_NUMBER": "CHE-107.787.577 IVA"},
        {"PRORATA_SELLER_COUNTRY": "GB", "PRORATA_SELLER_VAT_NUMBER": ""},
        {"PRORATA_SMTP_TLS": "none", "PRORATA_SMTP_HOST": "localhost"},
        {"PRORATA_SMTP_TLS": "none", "PRORATA_SMTP_HOST": "127.0.0.1"},
        {"PRORATA_SMTP_TLS": "none", "PRORATA_SMTP_HOST": "::1"},
        {"PRORATA_STRIPE_API_BASE": "http://127.0.0.1:12111"},
        {"PRORATA_STRIPE_API_BASE": "http://[::1]:12111"},
        {"PRORATA_INVOICE_ON_VAT": "true"},
        {"PRORATA_FLOWER_LOGIN": "admin:sixteen-letters:"},
        {"PRORATA_BROKER_URL": "redis://:sixteen-letters-@redis:6379/0"},
        {"PRORATA_BROKER_URL": "redis://:x@127.0.0.1:6379/0"},
        {"PRORATA_DATABASE_URL": f"{DATABASE}prorata:sixteen-letters-@db/prorata"},
        {"PRORATA_DATABASE_URL": f"{DATABASE}prorata:x@[::1]/prorata"},
        {"PRORATA_DATABASE_URL": f"{DATABASE}prorata:x@/prorata?host=/run/postgresql"},
        {"PRORATA_DATABASE_URL": f"{DATABASE}prorata@db/prorata?sslcert=/etc/ssl/prorata.pem"},
        {"PRORATA_BROKER_URL": "redis://127.0.0.1:6379/0"},
        {"PRORATA_BROKER_URL": "redis://[::1]/0"},
        {"PRORATA_BROKER_URL": f"rediss://redis/0?ssl_certfile={__file__}&ssl_keyfile={__file__}"},
        WITHOUT_ACCOUNT | {"PRORATA_VAT_OUTAGE": "charge_vat"},
        WITHOUT_ACCOUNT | {"PRORATA_VAT_OUTAGE": "hold"},
    ],
)
def test_production_takes_what_a_seller_chose(prorata: Command, chosen: dict[str, str]) -> None:
    assert prorata("settings", **PRODUCTION | chosen).status == 0


def test_settings_shows_every_variable_and_no_secret(prorata: Command) -> None:
    ended = prorata("settings", **SETTINGS)
    assert ended.status == 0
    assert "PRORATA_QUOTE_MINUTES" in ended.out
    assert "secret" not in ended.out.replace("(secret)", "").replace("SECRET", "")
