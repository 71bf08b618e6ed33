"""`python -m worker.celery_command`: Celery's command, whatever lies in the current folder.

Celery looks there first for `--app`, and so for each module that this imports. It is imported here, before Celery looks for it.
"""

from worker import first_process, heap

first_process.end_at_term()
with heap.loading():
    from celery.__main__ import main

    import worker.app  # noqa: F401

if __name__ == "__main__":
    main()
