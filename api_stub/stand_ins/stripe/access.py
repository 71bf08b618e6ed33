"""API keys, as bearer token or as user of basic authentication; and what restricted ones may do."""

import hashlib
import secrets
from base64 import b64decode
from collections.abc import Collection

from starlette.requests import Request

from api_stub.stand_ins.stripe.errors import ApiError
from api_stub.stand_ins.stripe.operations import Operation

_RESOURCES = {
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "refunds": "charge",
}
"""what the permissions of a restricted key call it; refunds have none of their own"""


def key_of(request: Request, api_keys: Collection[str]) -> str:
    """The API key that the request gives. Raises 401."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = b64decode(given).decode().partition(":")[0]
        except ValueError:
            given = ""
    if not given:
        raise _unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header."
        )
    if not any(secrets.compare_digest(given.encode(), known.encode()) for known in api_keys):
        raise _unauthorized(f"Invalid API Key provided: {given[:8]}****")
    return given


def account_of(request: Request, key: str) -> str:
    """The account that the API key belongs to, as an opaque name."""
    return hashlib.sha256(f"{key}|{request.headers.get('stripe-account', '')}".encode()).hexdigest()


def require_permission(key: str, granted: Collection[str], operation: Operation) -> None:
    """Raises 403 unless the restricted key may do this. granted: names such as `rak_customer_write`; to write includes to read."""
    resource = f"rak_{_RESOURCES[operation.name.partition('.')[0]]}"
    write, needed = f"{resource}_write", f"{resource}_{'read' if operation.method == 'GET' else 'write'}"
    if needed in granted or write in granted:
        return
    message = (
        f"The provided key '{key[:8]}****' does not have the required permissions for this endpoint on account 'acct_standin'."
        f" Having the '{needed}' permission would allow this request to continue."
    )
    raise ApiError(403, "invalid_request_error", message, executed=False)


def expired(key: str) -> ApiError:
    """What Stripe says of a key that was rolled or deleted."""
    return _unauthorized(f"Expired API Key provided: {key[:8]}****", code="api_key_expired")


def _unauthorized(message: str, *, code: str | None = None) -> ApiError:
    realm = {"WWW-Authenticate": 'Bearer realm="Stripe"'}
    return ApiError(401, "invalid_request_error", message, executed=False, headers=realm, code=code)
