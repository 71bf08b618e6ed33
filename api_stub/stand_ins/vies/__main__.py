"""`python -m api_stub.stand_ins.vies`; every option also as STANDIN_VIES_<OPTION>."""

from pathlib import Path

import typer
from fastapi import FastAPI

from api_stub.stand_ins.serving import DataFile, Host, Port, address, listen, run, serve
from api_stub.stand_ins.state import open_state
from api_stub.stand_ins.vies import control
from api_stub.stand_ins.vies.service import BASE_PATH, Service


def main(host: Host = "127.0.0.1", port: Port = 8091, data: DataFile = Path("vies.sqlite3")) -> None:
    """Answer VAT number questions as VIES does. Register, faults and requests are in the data file."""
    listening = listen(host, port)
    service = Service(open_state(data))
    app = FastAPI(title="VIES stand-in")
    app.include_router(service.router)
    app.state.service = service
    app.include_router(control.routes)
    app.add_api_route("/healthz", lambda: {"status": "ok"}, methods=["GET"])
    typer.echo(f"VIES stand-in: http://{address(listening)}{BASE_PATH}")
    serve(app, listening)


if __name__ == "__main__":
    run(main, env_prefix="STANDIN_VIES")
