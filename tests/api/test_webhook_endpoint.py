"""The provider's notifications arrive at one path, which one module names: whoever changes it there has changed it for the code."""

from pathlib import Path

import pytest

from tests.api.conftest import Api, problem
from worker.webhook_endpoint import SIGNATURE_HEADER, WEBHOOK_PATH

ROOT = Path(__file__).parents[2]


def test_no_other_module_names_the_path_or_the_header() -> None:
    sources = [file for folder in ("models", "tasks", "worker", "api_stub") for file in (ROOT / folder).rglob("*.py")]
    named = {
        str(file.relative_to(ROOT))
        for file in sources
        for name in (WEBHOOK_PATH.removeprefix("/v1"), SIGNATURE_HEADER)
        if "stand_ins" not in file.parts and name in file.read_text()
    }
    assert named == {"worker/webhook_endpoint.py"}


@pytest.mark.parametrize(("kib", "refused"), [(256, "webhook-refused"), (257, "body-too-large")])
def test_a_notification_may_be_larger_than_other_bodies(api: Api, kib: int, refused: str) -> None:
    answer = api.client.post(WEBHOOK_PATH, content=b" " * kib * 1024, headers={SIGNATURE_HEADER: "t=1,v1=00"})
    assert problem(answer)[1] == refused


@pytest.mark.parametrize("file", ["docker-compose.yml", "docs/alerts.yml", "docs/deploying.md", "docs/operations.md"])
def test_what_is_no_code_names_the_path_too(file: str) -> None:
    assert WEBHOOK_PATH in (ROOT / file).read_text()
