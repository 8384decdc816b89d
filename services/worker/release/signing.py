"""C2PA manifests: the same provenance, signed, so that a change of the file shows."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.media import write_png
from services.worker.release.provenance import Provenance

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")


class ContentSigner:
    """Signs files with ``key_pem``; ``chain_pem`` begins with the certificate of that key.

    ``time_authority_url`` adds a trusted time stamp, so that signatures outlive the certificate.
    """

    def __init__(
        self, chain_pem: str, key_pem: str, algorithm: str = "es256", time_authority_url: str = ""
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise InvalidInput(
                f"{algorithm!r} is no signing algorithm; choose one of {', '.join(ALGORITHMS)}",
                field="c2pa_algorithm",
            )
        try:
            import c2pa
        except ImportError as error:
            raise FailedPrecondition(
                "signing needs the c2pa library; install omnireel[c2pa]", reason="C2PA_MISSING"
            ) from error
        self._c2pa: Any = c2pa
        info = c2pa.C2paSignerInfo(
            algorithm.encode(), chain_pem.encode(), key_pem.encode(),
            time_authority_url.encode() or None,
        )  # fmt: skip
        try:
            self._signer = c2pa.Signer.from_info(info)
            # The library looks at the key when it signs; a worker should know at its start.
            self.sign(write_png(np.zeros((1, 1, 3), np.uint8)), "image/png", Provenance("trial"))
        except c2pa.C2paError as error:
            raise InvalidInput(
                f"the C2PA key and certificate chain cannot be used: {error}", field="c2pa_key"
            ) from error

    def sign(self, data: bytes, mime_type: str, provenance: Provenance) -> bytes:
        """The file with a signed manifest in it."""
        signed = io.BytesIO()
        builder = self._c2pa.Builder(json.dumps(provenance.manifest(mime_type)))
        try:
            builder.sign(self._signer, mime_type, io.BytesIO(data), signed)
        finally:
            builder.close()
        return signed.getvalue()
