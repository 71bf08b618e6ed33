"""The folder that a command was told to use, looked at before anything is started in it."""

import os
import stat
from pathlib import Path

from models.errors import Explained


class PlaceRefused(Explained):
    """A folder cannot be used; the message says why and what to do."""


def usable(folder: Path) -> Path:
    """`folder`, made if it was not there, for us alone. Raises PlaceRefused where nothing can be written in it, or others can.

    Files made from here on are for us alone, too: letters, charges and settings lie in there.
    """
    os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceRefused(f"{folder} cannot be created: {error.strerror}; name another folder with --folder") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PlaceRefused(f"{folder} cannot be written to; name another folder with --folder")
    about = folder.stat()
    if about.st_uid != os.geteuid():
        raise PlaceRefused(f"{folder} belongs to somebody else; name a folder of your own with --folder")
    if about.st_mode & (stat.S_IWOTH | stat.S_ISVTX):
        raise PlaceRefused(f"{folder} can be written to by others; name a folder of your own with --folder")
    folder.chmod(stat.S_IMODE(about.st_mode) & 0o700)
    return folder


def unused(folder: Path) -> Path:
    """The same for one that must be new: what an earlier run left in it would be taken for this one's."""
    if (folder / "postgres").exists():
        raise PlaceRefused(
            f"{folder} holds the data of an earlier run: delete it, or name another folder with --folder"
        )
    return usable(folder)
