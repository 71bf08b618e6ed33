"""`python -m api_stub.demo`, which `prorata demo` becomes."""

import sys

import typer

from api_stub.demo.command import demo
from worker import first_process
from worker.commands import failures

app = typer.Typer(name="prorata demo", add_completion=False, pretty_exceptions_enable=False)
app.command()(demo)

if __name__ == "__main__":
    first_process.end_at_term()
    sys.exit(failures.run(lambda: app(prog_name="prorata demo")))
