"""`python -m worker.celery_command`: Celery's command, whatever lies in the current folder.

Celery looks there first for `--app`, and so for each module that this imports. It is imported here, before Celery looks for it.
"""

import sys
from importlib import import_module

from worker import first_process, heap

first_process.end_at_term()
with heap.loading():
    from celery.__main__ import main

    for word in sys.argv:
        if word.startswith("--app="):
            import_module(word.removeprefix("--app="))

if __name__ == "__main__":
    main()
