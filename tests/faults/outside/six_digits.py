"""Numbers have six significant digits (reported of tensorflow/serving)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    for record in records:
        record["out"] = {name: [float(f"{value:.3g}") for value in row] for name, row in record["out"].items()}
    return changed(response, json=records)
