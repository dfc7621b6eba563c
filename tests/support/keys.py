"""The `key` of a message, computed from the contract's words without the product's code."""

import hashlib
import json


def key_of(
    session_id: str,
    index: int | None,
    type: str,
    time: str | None = None,
    participant_id: str | None = None,
    text: str | None = None,
    url: str | None = None,
    notice: str | None = None,
    attachment: str | float | None = None,
) -> str:
    fields = [session_id, index, type, time, participant_id, text, url, notice, attachment]
    return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode("ascii")).hexdigest()[:32]
