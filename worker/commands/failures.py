"""What a command may fail with, as a person reads it: one clear message, an exit status, no traceback."""

import re
import sys
from collections.abc import Callable

from psycopg import errors
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError, ProgrammingError

from models.errors import Explained, Unknown
from tasks.errors import (
    NO_DATABASE,
    Misconfigured,
    NotRecorded,
    TemporarilyUnavailable,
    behind_a_lock,
    database_is_away,
    stood_still,
)
from worker import certificates, server_urls
from worker.commands.exit_status import FAILED, INTERRUPTED, NO_ANSWER, WRONGLY_ASKED
from worker.commands.standard_output import NotWritten, written
from worker.environment import SettingsError, database_settings

NOTHING_CHANGED = "Nothing was changed."
_OUT_OF_DATE = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
)
_TOO_LITTLE = (
    errors.InsufficientResources,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.TooManyConnections,
    errors.ConfigurationLimitExceeded,
)
_WITHOUT_RIGHTS = (errors.InsufficientPrivilege, errors.InvalidSchemaName)
"""the latter where the role may use no schema"""
_NO_SUCH_DATABASE = re.compile('database ".*" does not exist')


class Interrupted(Exception):
    """Ctrl-C in a command. The message: what is kept, or under way, all the same."""

    @classmethod
    def by(cls, stopped: KeyboardInterrupt) -> "Interrupted":
        return cls(_kept(stopped))


def run(command: Callable[[], object]) -> int:
    """Run `command`; returns the exit status."""
    try:
        with written():
            command()
    except (SettingsError, Unknown) as error:
        return _say(str(error), WRONGLY_ASKED)
    except (Misconfigured, NotRecorded, NotWritten) as error:
        return _say(_and_kept(str(error), error), NO_ANSWER)
    except Explained as error:
        return _say(str(error), FAILED)
    except TemporarilyUnavailable as error:
        return _say(_and_kept(f"{error}; try again later", error), NO_ANSWER)
    except NO_DATABASE as error:
        return _say(_why_no_database(error), NO_ANSWER)
    except ProgrammingError as error:
        if isinstance(error.orig, _WITHOUT_RIGHTS):
            return _say(_and_kept(_which_right(error), error), NO_ANSWER)
        if not isinstance(error.orig, _OUT_OF_DATE):
            raise
        said = f"The database at {_database()} is not up to date; run `prorata db upgrade`: {_first_line(error)}"
        return _say(said, NO_ANSWER)
    except InternalError as error:
        if not isinstance(error.orig, errors.ReadOnlySqlTransaction):
            raise
        return _say(_why_no_answer(error), NO_ANSWER)
    except (Interrupted, KeyboardInterrupt) as stopped:
        return _say(f"Interrupted. {stopped}".rstrip(), INTERRUPTED)
    return 0


def _kept(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", ()))


def _and_kept(said: str, error: Exception) -> str:
    kept = _kept(error)
    return f"{said.removesuffix('.')}. {kept}" if kept else said


def _why_no_database(error: Exception) -> str:
    kept = _kept(error)
    if behind_a_lock(error):
        why = f"other transactions hold the same rows in {_database()}"
        return f"Not finished: {why}. {kept or NOTHING_CHANGED} Try again later."
    if stood_still(error):
        why = f"this command stood still for too long (suspended, or short of processor time?), so {_database()} undid its transaction"
        return f"Not finished: {why}. {kept or NOTHING_CHANGED} Run it again."
    if isinstance(error, OperationalError) and isinstance(error.orig, errors.QueryCanceled):
        why = f"{_database()} ended a statement ({_first_line(error)})"
        return (
            f"Not finished: {why}. {kept or NOTHING_CHANGED} If nobody cancelled it, its role has a statement_timeout that is too short: "
            "ALTER ROLE ... SET statement_timeout = 0, then run it again."
        )
    return _and_kept(_why_no_answer(error), error)


def _which_right(error: DBAPIError) -> str:
    role = make_url(database_settings().database_url.get_secret_value()).username
    who = f"role {role}" if role else "database's role"
    return (
        f"The {who} lacks a right in the database at {_database()} (PRORATA_DATABASE_URL): {_first_line(error)}. "
        'What to grant is said under "Two roles in PostgreSQL" in docs/deploying.md.'
    )


def _why_no_answer(error: Exception) -> str:
    if not isinstance(error, OperationalError | InternalError):
        return f"Every connection to the database at {_database()} is in use. Try again later."
    if isinstance(error.orig, errors.ReadOnlySqlTransaction):
        return f"The database at {_database()} takes no writes (PRORATA_DATABASE_URL): {_first_line(error)}"
    if isinstance(error.orig, _TOO_LITTLE):
        return f"The database at {_database()} has too little room, memory or connections left for this: {_first_line(error)}. Run it again once there is enough."
    if advice := certificates.what_to_do(str(error.orig), "PRORATA_DATABASE_URL"):
        return f"No connection to the database at {_database()}: {advice} ({_first_line(error)})"
    if _NO_SUCH_DATABASE.search(str(error.orig)):
        return f"The server has no database {_database()} (PRORATA_DATABASE_URL): create an empty one (createdb --template=template0 --encoding=UTF8 --locale=C), then run `prorata db upgrade`"
    does = "does not answer" if database_is_away(error) else "refuses"
    return f"The database at {_database()} {does} (PRORATA_DATABASE_URL): {_first_line(error)}"


def _say(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


def _database() -> str:
    """Which one, without the credentials."""
    try:
        return server_urls.name(database_settings().database_url.get_secret_value())
    except SettingsError:
        return "an unknown address"


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
