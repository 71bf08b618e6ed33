"""API keys, as bearer token or as user of basic authentication."""

import hashlib
import secrets
from base64 import b64decode

from starlette.requests import Request

from api_stub.stand_ins.stripe.errors import ApiError


def account_of(request: Request, api_keys: frozenset[str]) -> str:
    """The account that the API key belongs to, as an opaque name. Raises 401."""
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
    return hashlib.sha256(f"{given}|{request.headers.get('stripe-account', '')}".encode()).hexdigest()


def _unauthorized(message: str) -> ApiError:
    return ApiError(
        401, "invalid_request_error", message, executed=False, headers={"WWW-Authenticate": 'Bearer realm="Stripe"'}
    )
