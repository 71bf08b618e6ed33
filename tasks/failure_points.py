"""Named places where a drill may kill the process. Inert unless `arm` was called; production settings refuse to.

The places of each step: `<step>.claimed`, `<step>.called` (effect done, not recorded), `<step>.recorded` (not acknowledged).
"""

from collections.abc import Callable

_on_reach: Callable[[str], None] | None = None


def arm(on_reach: Callable[[str], None] | None) -> None:
    """Call `on_reach` with the name of each place that is reached; None disarms."""
    global _on_reach
    _on_reach = on_reach


def reach(place: str) -> None:
    if _on_reach is not None:
        _on_reach(place)
