"""Clients in the shapes of the vendor's SDK, written for these tests, and where real ones stand if somebody has any."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

# Clients in the generator's shapes, written for these tests: the older hands back one dictionary, the newer fills one.
OLDER = {
    "api/yard/open_gate.py": """
        from http import HTTPStatus
        from typing import Any, Dict, List, Optional, Union
        from ...client import Client
        from ...models.open_gate_json_body import OpenGateJsonBody
        from ...models.open_gate_response_200 import OpenGateResponse200
        from ...models.trouble import Trouble

        def _get_kwargs(*, client: Client, json_body: OpenGateJsonBody) -> Dict[str, Any]:
            url = "{}/v1/api/yard/open".format(client.base_url)
            json_json_body = json_body.to_dict()
            return {"method": "post", "url": url, "json": json_json_body}

        def _parse_response(*, client: Client, response) -> Optional[Union[Optional[OpenGateResponse200], Trouble]]:
            if response.status_code == HTTPStatus.OK:
                _response_200 = response.json()
                response_200: Optional[OpenGateResponse200]
                if _response_200 is None:
                    response_200 = None
                else:
                    response_200 = OpenGateResponse200.from_dict(_response_200)
                return response_200
            if response.status_code == 400:
                response_400 = Trouble.from_dict(response.json())
                return response_400
            return None
    """,
    "api/yard/add_cart.py": """
        from ...models.cart_parts import CartParts
        from ...models.trouble import Trouble

        def _get_kwargs(*, client, multipart_data: CartParts):
            url = "{}/v1/api/yard/cart".format(client.base_url)
            multipart_multipart_data = multipart_data.to_multipart()
            return {"method": "post", "url": url, "files": multipart_multipart_data}

        def _parse_response(*, response):
            if response.status_code == 200:
                response_200 = []
                _response_200 = response.json()
                for response_200_item_data in _response_200:
                    response_200_item = Trouble.from_dict(response_200_item_data)
                    response_200.append(response_200_item)
                return response_200
    """,
    "models/open_gate_json_body.py": """
        import attr
        from ..types import UNSET, Unset
        if TYPE_CHECKING:
            from ..models.latch import Latch

        @attr.s(auto_attribs=True)
        class OpenGateJsonBody:
            name: str
            in_: int
            speed: Union[Unset, None, float] = UNSET
            tries: Union[Unset, int] = 3
            colour: Union[Unset, "OpenGateColour"] = UNSET
            latches: Union[Unset, None, List['Latch']] = UNSET
            weights: Union[Unset, Dict[str, int]] = UNSET
            additional_properties: Dict[str, Any] = attr.ib(init=False, factory=dict)

            def to_dict(self):
                from ..models.open_gate_colour import OpenGateColour
                name = self.name
                in_ = self.in_
                field_dict = {}
                field_dict.update({"name": name, "in": in_})
                if speed is not UNSET:
                    field_dict["speed"] = speed
                return field_dict
    """,
    "models/open_gate_colour.py": """
        from enum import Enum
        class OpenGateColour(str, Enum):
            RED = "red"
            GREEN = "green"
            def __str__(self) -> str:
                return str(self.value)
    """,
    "models/latch.py": """
        class Latch:
            id: UUID
            inner: Union[Unset, 'Latch'] = UNSET
    """,
    "models/open_gate_response_200.py": """
        class OpenGateResponse200:
            since: Optional[datetime.datetime]
            labels: Dict[str, Any]
            additional_properties: Dict[str, str] = attr.ib(init=False, factory=dict)
    """,
    "models/trouble.py": """
        class Trouble:
            msg: str
            code: int
            additional_properties: Dict[str, Any] = attr.ib(init=False, factory=dict)
    """,
    "models/cart_parts.py": """
        from ..models.trouble import Trouble
        class CartParts:
            file: File
            metadata: 'Trouble'
    """,
}
NEWER = {
    "api/yard/open_gate.py": """
        from uuid import UUID
        from ...models.open_gate_body import OpenGateBody
        from ...models.gate import Gate
        from ...models.gate_kind import GateKind, check_gate_kind
        from ...types import UNSET, Unset, File

        def _get_kwargs(gate_id: int, *, body: OpenGateBody | Unset = UNSET, kind: GateKind | Unset = UNSET,
                        x_trace: str) -> dict[str, Any]:
            headers: dict[str, Any] = {}
            headers["X-Trace"] = x_trace
            params: dict[str, Any] = {}
            json_kind: str | Unset = UNSET
            if not isinstance(kind, Unset):
                json_kind = kind
            params["kind"] = json_kind
            _kwargs: dict[str, Any] = {
                "method": "put",
                "url": "/v1/api/yard/{gate_id}/open".format(gate_id=gate_id,),
                "params": params,
            }
            if not isinstance(body, Unset):
                _kwargs["json"] = body.to_dict()
            headers["Content-Type"] = "application/json"
            _kwargs["headers"] = headers
            return _kwargs

        def _parse_response(*, client, response) -> Any | Gate | None:
            if response.status_code == 200:
                def _parse_response_200(data: object) -> Gate | None:
                    return data
                response_200 = _parse_response_200(response.json())
                return response_200
            if response.status_code == 202:
                response_202 = UUID(response.json())
                return response_202
            if response.status_code == 203:
                response_203 = cast(list[int], response.json())
                return response_203
            if response.status_code == 204:
                response_204 = cast(Any, None)
                return response_204
            if response.status_code == 409:
                response_409 = response.json()
                return response_409
            if response.status_code == 500:
                response_500 = response.text
                return response_500
            return None
    """,
    "api/yard/send.py": """
        from ...models.gate import Gate

        def _get_kwargs(*, body: Gate | File) -> dict[str, Any]:
            _kwargs: dict[str, Any] = {"method": "post", "url": "/v1/api/yard/send"}
            if isinstance(body, Gate):
                _kwargs["json"] = body.to_dict()
                headers["Content-Type"] = "application/json"
            if isinstance(body, File):
                _kwargs["content"] = body.payload
                headers["Content-Type"] = "application/octet-stream"
            return _kwargs
    """,
    "api/yard/odd.py": "def something(): ...",
    "models/open_gate_body.py": """
        class OpenGateBody:
            wide: bool | None | Unset = UNSET
            kinds: Union[Literal["a"], Literal["b", "c"]]
            gone: 'Nowhere'
    """,
    "models/gate.py": """
        class Gate:
            id: int
    """,
    "models/gate_kind.py": """
        GateKind = Literal['iron', 'wood']
        def check_gate_kind(value): ...
    """,
}


def unpack(folder: Path, files: dict[str, str], release: str = "1.2.3") -> Path:
    client = folder / "wallaroo" / "some_client"
    for name, text in {"client.py": "", "api/__init__.py": "", "models/__init__.py": "", **files}.items():
        place = client / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(dedent(text), encoding="utf-8")
    (folder / f"wallaroo-{release}.dist-info").mkdir()
    return folder


# The vendor's own releases, where somebody has unpacked them: CONFORMANCE_SDKS names a folder of <release>/ folders.
SDKS = Path(os.environ.get("CONFORMANCE_SDKS", "sdks-are-not-here"))
RELEASES = ("2022.4.0", "2023.4.1", "2024.1.0", "2024.2.0", "2025.1.0", "2025.2.0.0", "2026.1.3")
real = pytest.mark.skipif(not SDKS.is_dir(), reason="CONFORMANCE_SDKS names no folder of unpacked SDKs")
