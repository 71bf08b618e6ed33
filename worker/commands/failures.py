"""What a command may fail with, as a person reads it: one clear message, an exit status, no traceback."""

import re
import sys
from collections.abc import Callable

from sqlalchemy.exc import OperationalError, ProgrammingError

from models.errors import Explained
from tasks.errors import TemporarilyUnavailable, behind_a_lock
from worker import certificates, server_urls
from worker.commands.standard_output import written
from worker.settings import SettingsError, settings

_NO_SUCH_DATABASE = re.compile('database ".*" does not exist')
FAILED = 1
WRONG_SETTINGS = 2
INTERRUPTED = 130


def run(command: Callable[[], object]) -> int:
    """Run `command`; returns the exit status."""
    try:
        with written():
            command()
    except SettingsError as error:
        return _say(str(error), WRONG_SETTINGS)
    except Explained as error:
        return _say(str(error))
    except TemporarilyUnavailable as error:
        return _say(f"{error}; try again later")
    except OperationalError as error:
        if behind_a_lock(error):
            return _say(
                f"Not finished: others work on the same rows in {_database()}. Try again in a while; what was done stays."
            )
        if advice := certificates.what_to_do(str(error.orig), "PRORATA_DATABASE_URL"):
            return _say(f"No connection to the database at {_database()}: {advice} ({_first_line(error)})")
        if _NO_SUCH_DATABASE.search(str(error.orig)):
            return _say(
                f"The server has no database {_database()} (PRORATA_DATABASE_URL): create an empty one (createdb), then run `prorata db upgrade`"
            )
        return _say(f"The database at {_database()} does not answer (PRORATA_DATABASE_URL): {_first_line(error)}")
    except ProgrammingError as error:
        if "does not exist" not in str(error.orig):
            raise
        return _say(f"The database at {_database()} is not up to date; run `prorata db upgrade`: {_first_line(error)}")
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    return 0


def _say(message: str, status: int = FAILED) -> int:
    sys.stderr.write(f"{message}\n")
    return status


def _database() -> str:
    """Which one, without the credentials."""
    try:
        return server_urls.name(settings().database_url.get_secret_value())
    except SettingsError:
        return "an address of its own"


def _first_line(error: OperationalError | ProgrammingError) -> str:
    return str(error.orig).strip().partition("\n")[0]
