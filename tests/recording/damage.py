"""What tools do to an entry of a capture: other ways to write all of it, and ways to lose a part.

Each is named for who does so. Those of SAME lose nothing that is judged; those of LOSSES do.
"""

from __future__ import annotations

import base64
import gzip
import random
import zlib
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]
Change = Callable[[Entry, random.Random], None]


WHOLE = "_whole"
"""Where an entry keeps the bytes that were sent, which no reader looks at."""


def body_of(message: Entry) -> bytes:
    """The bytes of an answer's content or of a request's data, whatever was done to it since."""
    if WHOLE in message:
        return base64.b64decode(message[WHOLE])
    text = message.get("text") or ""
    packed = "base64" in (message.get("encoding"), message.get("comment"))
    return base64.b64decode(text) if packed else text.encode()


def content(entry: Entry) -> Entry:
    return entry["response"]["content"]  # type: ignore[no-any-return]


def put(message: Entry, text: str, encoding: str = "") -> None:
    """Another text in place of the one that is there."""
    message.pop("encoding", None)
    message.pop("comment", None)
    message["text"] = text
    if encoding:
        message["encoding"] = encoding


def without(entry: Entry, side: str, *names: str) -> None:
    entry[side]["headers"] = [field for field in entry[side]["headers"] if field["name"].lower() not in names]


def added(entry: Entry, side: str, name: str, value: str) -> None:
    without(entry, side, name.lower())
    entry[side]["headers"].append({"name": name, "value": value})


def in_lines(entry: Entry, rng: random.Random) -> None:
    put(content(entry), base64.encodebytes(body_of(content(entry))).decode().replace("\n", "\r\n"), "base64")


def without_saying_base64(entry: Entry, rng: random.Random) -> None:
    put(content(entry), base64.b64encode(body_of(content(entry))).decode())


def says_base64_of_text(entry: Entry, rng: random.Random) -> None:
    if body_of(content(entry)).isascii():
        content(entry)["encoding"] = "base64"


def bytes_as_characters(entry: Entry, rng: random.Random) -> None:
    put(content(entry), body_of(content(entry)).decode("latin-1"))


def request_bytes_as_characters(entry: Entry, rng: random.Random) -> None:
    if "postData" in entry["request"]:
        put(entry["request"]["postData"], body_of(entry["request"]["postData"]).decode("latin-1"))


def left_compressed(entry: Entry, rng: random.Random) -> None:
    body = body_of(content(entry))
    name, packed = rng.choice([("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))])
    put(content(entry), base64.b64encode(packed).decode(), "base64")
    content(entry)["size"] = rng.choice([len(packed), len(body)])
    entry["response"]["bodySize"] = len(packed)
    added(entry, "response", "Content-Length", str(len(packed)))
    added(entry, "response", "Content-Encoding", name)


def unpacked_by_the_tool(entry: Entry, rng: random.Random) -> None:
    body = body_of(content(entry))
    if not body:
        return  # nobody compresses nothing
    packed = len(gzip.compress(body))
    content(entry)["compression"] = len(body) - packed
    content(entry)["size"] = rng.choice([len(body), packed])  # mitmproxy counts what travelled
    entry["response"]["bodySize"] = packed
    added(entry, "response", "Content-Length", str(packed))
    added(entry, "response", "Content-Encoding", "gzip")


def with_a_default_port(entry: Entry, rng: random.Random) -> None:
    entry["request"]["url"] = entry["request"]["url"].replace("://emulated", "://emulated:80", 1)


def with_a_trailing_dot(entry: Entry, rng: random.Random) -> None:
    entry["request"]["url"] = entry["request"]["url"].replace("://emulated", "://emulated.", 1)


SAME: tuple[Change, ...] = (
    in_lines,
    without_saying_base64,
    says_base64_of_text,
    bytes_as_characters,
    request_bytes_as_characters,
    left_compressed,
    unpacked_by_the_tool,
    with_a_default_port,
    with_a_trailing_dot,
)


def omitted(entry: Entry, rng: random.Random) -> None:
    content(entry).pop("text", None)
    content(entry).pop("encoding", None)


def omitted_with_its_size(entry: Entry, rng: random.Random) -> None:
    omitted(entry, rng)
    content(entry)["size"] = rng.choice([-1, 0])
    entry["response"]["bodySize"] = rng.choice([-1, 0])


def evicted(entry: Entry, rng: random.Random) -> None:
    put(content(entry), "", rng.choice(["", "base64"]))
    content(entry)["size"] = rng.choice([content(entry).get("size"), 0, -1])


def attached_and_lost(entry: Entry, rng: random.Random) -> None:
    omitted(entry, rng)
    content(entry)["_file"] = "5f1c7e0d5f1c7e0d5f1c7e0d5f1c7e0d5f1c7e0d.json"


def cut_short(entry: Entry, rng: random.Random) -> None:
    text = content(entry).get("text") or ""
    content(entry)["text"] = text[: rng.randrange(len(text) + 1)]


def cut_short_with_no_size(entry: Entry, rng: random.Random) -> None:
    cut_short(entry, rng)
    content(entry)["size"] = -1
    without(entry, "response", "content-length")
    entry["response"]["bodySize"] = -1


def decoded_lossily(entry: Entry, rng: random.Random) -> None:
    body = body_of(content(entry))
    at = rng.randrange(len(body) + 1)
    put(content(entry), (body[:at] + b"\xff" + body[at + 1 :]).decode("utf-8", "replace"))


def left_in_brotli(entry: Entry, rng: random.Random) -> None:
    packed = rng.randbytes(20)
    put(content(entry), base64.b64encode(packed).decode(), "base64")
    content(entry)["size"] = entry["response"]["bodySize"] = len(packed)
    added(entry, "response", "Content-Encoding", "br")
    if rng.random() < 0.5:
        added(entry, "response", "Content-Length", str(len(packed)))
    else:
        without(entry, "response", "content-length")


def chunked(entry: Entry, rng: random.Random) -> None:
    if not any(field["name"].lower() == "date" for field in entry["response"].get("headers", [])):
        return  # headers that were left out already
    without(entry, "response", "content-length")
    added(entry, "response", "Transfer-Encoding", "chunked")
    entry["response"]["bodySize"] = -1


def without_headers(entry: Entry, rng: random.Random) -> None:
    entry["response"]["headers"] = []
    if rng.random() < 0.5:
        del entry["response"]["headers"]


def with_safe_headers_alone(entry: Entry, rng: random.Random) -> None:
    kept = ("content-type", "content-length") if rng.random() < 0.5 else ("content-type",)
    fields = entry["response"].get("headers", [])
    entry["response"]["headers"] = [field for field in fields if field["name"].lower() in kept]


def without_type(entry: Entry, rng: random.Random) -> None:
    entry["response"]["headers"] = []
    content(entry)["mimeType"] = rng.choice(["", "x-unknown", "text/plain"])


def without_request_headers(entry: Entry, rng: random.Random) -> None:
    entry["request"]["headers"] = []


def sanitized(entry: Entry, rng: random.Random) -> None:
    without(entry, "request", "authorization")


def without_sizes(entry: Entry, rng: random.Random) -> None:
    content(entry)["size"] = rng.choice([-1, 0])
    entry["response"]["bodySize"] = entry["request"]["bodySize"] = -1


def without_time(entry: Entry, rng: random.Random) -> None:
    entry["time"] = rng.choice([0, -1, None])


def without_start(entry: Entry, rng: random.Random) -> None:
    entry["startedDateTime"] = rng.choice(["", None])


def unanswered(entry: Entry, rng: random.Random) -> None:
    empty = {"status": 0, "headers": [], "content": {"size": 0, "mimeType": "x-unknown"}, "_error": "net::ERR_ABORTED"}
    entry["response"] = rng.choice([empty, {}, empty | {"status": -1}, empty | {"status": None}])


def without_a_response(entry: Entry, rng: random.Random) -> None:
    del entry["response"]


def with_status_as_text(entry: Entry, rng: random.Random) -> None:
    entry["response"]["status"] = str(entry["response"]["status"])


def without_post_data(entry: Entry, rng: random.Random) -> None:
    entry["request"].pop("postData", None)
    entry["request"]["bodySize"] = rng.choice([-1, 0, entry["request"]["bodySize"]])


def with_empty_post_data(entry: Entry, rng: random.Random) -> None:
    if "postData" in entry["request"]:
        put(entry["request"]["postData"], "")
        entry["request"]["bodySize"] = rng.choice([-1, 0, entry["request"]["bodySize"]])


def post_data_cut_short(entry: Entry, rng: random.Random) -> None:
    if "postData" in entry["request"]:
        text = entry["request"]["postData"]["text"]
        entry["request"]["postData"]["text"] = text[: rng.randrange(len(text) + 1)]


def post_data_decoded_lossily(entry: Entry, rng: random.Random) -> None:
    if "postData" in entry["request"]:
        put(entry["request"]["postData"], body_of(entry["request"]["postData"]).decode("utf-8", "replace"))
        entry["request"]["bodySize"] = len(entry["request"]["postData"]["text"].encode())


LOSSES: tuple[Change, ...] = (
    omitted,
    omitted_with_its_size,
    evicted,
    attached_and_lost,
    cut_short,
    cut_short_with_no_size,
    decoded_lossily,
    left_in_brotli,
    chunked,
    without_headers,
    with_safe_headers_alone,
    without_type,
    without_request_headers,
    sanitized,
    without_sizes,
    without_time,
    without_start,
    unanswered,
    without_a_response,
    with_status_as_text,
    without_post_data,
    with_empty_post_data,
    post_data_cut_short,
    post_data_decoded_lossily,
)

UNREADABLE: tuple[Change, ...] = (unanswered, without_a_response, with_status_as_text)
"""Those after which nothing is known of an answer."""
