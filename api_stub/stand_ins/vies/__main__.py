"""`python -m api_stub.stand_ins.vies`: answers VAT number questions as VIES does."""

from fastapi import FastAPI

from api_stub.stand_ins.serving import Flags, address, announce, data_file, listen, port, serve
from api_stub.stand_ins.state import open_state
from api_stub.stand_ins.vies.control import control
from api_stub.stand_ins.vies.service import BASE_PATH, Service


def main() -> None:
    flags = Flags("api_stub.stand_ins.vies", __doc__ or "", "STANDIN_VIES")
    flags.add("host", str, "127.0.0.1", "address to listen on")
    flags.add("port", port, "8091", "port for HTTP")
    flags.add("data", data_file, "vies.sqlite3", "file that keeps register, faults and requests")
    settings = flags.read()
    listening = listen(settings.host, settings.port, flags)
    service = Service(open_state(settings.data))
    app = FastAPI(title="VIES stand-in")
    app.include_router(service.router)
    app.include_router(control(service))
    app.add_api_route("/healthz", lambda: {"status": "ok"}, methods=["GET"])
    announce(f"VIES stand-in: http://{address(listening)}{BASE_PATH}")
    serve(app, listening)


if __name__ == "__main__":
    main()
