"""Arrow answers hold doubles for floats (a dtype lost on the way through pandas)."""

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
    struct = table.column("out").combine_chunks()
    struct = struct if isinstance(struct, pa.StructArray) else struct.chunk(0)
    parts = [part.cast(pa.list_(pa.float64())) for part in struct.flatten()]
    out = pa.StructArray.from_arrays(parts, [field.name for field in struct.type])
    table = table.set_column(table.column_names.index("out"), "out", out)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return changed(response, body=sink.getvalue().to_pybytes())
