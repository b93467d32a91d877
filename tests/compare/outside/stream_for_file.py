"""Arrow answers are streams, not files."""

from __future__ import annotations

import pyarrow as pa

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or "arrow" not in response.media_type:
        return response
    table = pa.ipc.open_file(response.body).read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return changed(response, body=sink.getvalue().to_pybytes())
