"""A FastAPI endpoint that inserts one row: what a server costs that keeps no promise but that one."""

from uuid import uuid4

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from benchmarks.peers.environment import DATABASE_URL

app = FastAPI()
engine = create_engine(DATABASE_URL, pool_size=10)
with engine.begin() as _connection:
    _connection.execute(text("CREATE TABLE IF NOT EXISTS rows (id uuid PRIMARY KEY, account text, quote text)"))


class Wanted(BaseModel):
    account_id: str
    quote_id: str


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/orders", status_code=201)
def place(wanted: Wanted) -> dict[str, str]:
    row = {"id": uuid4(), "account": wanted.account_id, "quote": wanted.quote_id}
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO rows (id, account, quote) VALUES (:id, :account, :quote)"), row)
    return {"id": str(row["id"])}
