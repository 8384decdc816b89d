"""Media that a request names by an address of the open web: fetched, then taken like an upload.

Off unless ``fetch_urls`` is on: a server that fetches what strangers name is a way into its
network, so :mod:`services.common.safe_http` says where it may go.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from omnireel.api.v1 import media_pb2, video_pb2
from omnireel.errors import InvalidInput
from omnireel.files import disk_errors
from omnireel.store.chunks import chunks_of
from services.common.safe_http import SafeHttp
from services.gateway.upload import Uploads

MAX_FETCHES = 16
"""Of one request."""
_SCHEMES = ("http://", "https://")


class Fetcher:
    """Replaces addresses in requests by media that were fetched from there."""

    def __init__(self, uploads: Uploads, http: SafeHttp) -> None:
        self._uploads = uploads
        self._http = http

    def localise(
        self, caller: str, request: video_pb2.CreateVideoRequest
    ) -> video_pb2.CreateVideoRequest:
        """``request`` with every address of the web replaced by the URI of its copy here.

        Raises:
            InvalidInput: an address that may not be fetched, or what is there is no media; names
                the field.
            Unavailable: it does not answer.
        """
        fields = list(_addresses(request))
        if not fields:
            return request
        if len(fields) > MAX_FETCHES:
            raise InvalidInput(
                f"at most {MAX_FETCHES} addresses are fetched for one request; upload the files",
                field="prompt",
            )
        local = video_pb2.CreateVideoRequest()
        local.CopyFrom(request)
        copies: dict[str, str] = {}
        for field, address in fields:
            if address not in copies:
                copies[address] = self._fetch(caller, address, field).uri
        for declared in local.prompt.inputs:
            declared.uri = copies.get(declared.uri, declared.uri)
        for element in local.prompt.elements:
            element.uris[:] = [copies.get(uri, uri) for uri in element.uris]
        return local

    def _fetch(self, caller: str, address: str, field: str) -> media_pb2.Media:
        folder = Path(tempfile.gettempdir())
        with disk_errors(folder), tempfile.NamedTemporaryFile(prefix="omnireel-fetch-") as file:
            with self._http.stream(address, field=field) as (_, answer, chunks):
                if answer.status != 200:
                    raise InvalidInput(
                        f"{field}: the server returned HTTP {answer.status}; check the address, "
                        "or upload the file",
                        field=field,
                    )
                for chunk in chunks:
                    file.write(chunk)
            file.flush()
            path = Path(file.name)
            metadata = media_pb2.UploadMetadata(size_bytes=path.stat().st_size)
            if not metadata.size_bytes:
                raise InvalidInput(f"{field}: the server returned nothing", field=field)
            return self._uploads.store(caller, metadata, chunks_of(path), field=field)


def _addresses(request: video_pb2.CreateVideoRequest) -> Iterator[tuple[str, str]]:
    for index, declared in enumerate(request.prompt.inputs):
        if declared.uri.startswith(_SCHEMES):
            yield f"prompt.inputs[{index}].uri", declared.uri
    for index, element in enumerate(request.prompt.elements):
        for number, uri in enumerate(element.uris):
            if uri.startswith(_SCHEMES):
                yield f"prompt.elements[{index}].uris[{number}]", uri
