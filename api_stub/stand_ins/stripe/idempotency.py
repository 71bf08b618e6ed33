"""Idempotency as Stripe documents it (https://docs.stripe.com/api/idempotent_requests, /error-low-level).

The first answer of a request that began to execute is kept, 402s and 500s too, and given again with
`Idempotent-Replayed: true`; other parameters or another path are an `idempotency_error` (400); a key in flight is 409;
keys belong to an account and end after 24 hours. Validation errors, 401 and 429 leave nothing behind.
"""

import hashlib
import json
import time
from typing import Any

from api_stub.stand_ins.stripe.errors import Answer, ApiError
from api_stub.stand_ins.stripe.ledger import Ledger

LIFETIME = 24 * 60 * 60
LONGEST_KEY = 255


def fingerprint(params: Any) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def recall(ledger: Ledger, scope: str, key: str, path: str, params: Any) -> Answer | None:
    """The kept answer of this key, None where there is none. Raises ApiError where the key was used for something else."""
    row = ledger.connection.execute(
        "SELECT * FROM idempotency_keys WHERE scope = ? AND key = ? AND created > ?",
        [scope, key, time.time() - LIFETIME],
    ).fetchone()
    if row is None:
        return None
    if row["path"] != path:
        raise _misused(f"for the same endpoint they were first used for ('{row['path']}')", key)
    if row["fingerprint"] != fingerprint(params):
        raise _misused("with the same parameters they were first used with", key)
    replayed = {"Idempotent-Replayed": "true", "Original-Request": row["request_id"]}
    return Answer(row["status"], json.loads(row["body"]), json.loads(row["headers"]) | replayed)


def is_replay(answer: Answer) -> bool:
    return "Idempotent-Replayed" in answer.headers


def keep(ledger: Ledger, scope: str, key: str, path: str, params: Any, answer: Answer, request_id: str) -> None:
    ledger.connection.execute(
        "INSERT OR REPLACE INTO idempotency_keys (scope, key, created, path, fingerprint, status, headers, body, request_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [scope, key, time.time(), path, fingerprint(params), answer.status, json.dumps(answer.headers),
         json.dumps(answer.body), request_id],
    )  # fmt: skip


def expire_all(ledger: Ledger) -> int:
    return ledger.connection.execute("DELETE FROM idempotency_keys").rowcount


def in_flight(key: str) -> ApiError:
    message = (
        "There is currently another in-progress request using this Idempotency Key (that probably means you submitted twice,"
        f" and the other request is still going through): {key}. Please try again later."
    )
    return ApiError(
        409,
        "idempotency_error",
        message,
        executed=False,
        code="idempotency_key_in_use",
        headers={"Stripe-Should-Retry": "true"},
    )


def too_long(key: str) -> ApiError:
    message = f"Idempotency keys can be up to {LONGEST_KEY} characters; yours has {len(key)}."
    return ApiError(400, "invalid_request_error", message, executed=False)


def _misused(how: str, key: str) -> ApiError:
    message = (
        f"Keys for idempotent requests can only be used {how}. Try using a key other than '{key}'"
        " if you meant to execute a different request."
    )
    return ApiError(400, "idempotency_error", message, executed=False)
