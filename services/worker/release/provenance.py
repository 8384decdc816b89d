"""What made a file, written into the file itself as XMP (ISO 16684-1).

The digital source type is IPTC's, which platforms read to label a picture as made by a model.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

import omnireel

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
GENERATOR = "Omnireel"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PNG_END = 12  # the IEND chunk

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:omnireel="urn:omnireel:provenance:1"
    xmp:CreatorTool={tool}
    Iptc4xmpExt:DigitalSourceType={source_type}
    omnireel:AIGenerated="true"
    omnireel:Job={job}{models}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True)
class Provenance:
    """``models`` are the versions of the models that had a part in it, by kind."""

    job_id: str
    models: Mapping[str, str] = field(default_factory=dict)
    version: str = omnireel.__version__

    def xmp(self) -> bytes:
        """The packet."""
        models = "".join(
            f"\n    omnireel:{kind}={quoteattr(version)}"
            for kind, version in sorted(self.models.items())
        )
        packet = _PACKET.format(
            tool=quoteattr(f"{GENERATOR} {self.version}"),
            source_type=quoteattr(SOURCE_TYPE),
            job=quoteattr(self.job_id),
            models=models,
        )
        return packet.encode()

    def manifest(self, mime_type: str) -> dict[str, object]:
        """What a C2PA signer claims about the file."""
        agent = {"name": GENERATOR, "version": self.version}
        action = {
            "action": "c2pa.created",
            "digitalSourceType": SOURCE_TYPE,
            "softwareAgent": agent,
            "parameters": {"job": self.job_id, **self.models},
        }
        return {
            "claim_generator_info": [agent],
            "title": f"video {self.job_id}",
            "format": mime_type,
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }


def stamp(data: bytes, mime_type: str, provenance: Provenance) -> bytes:
    """The file with its provenance; nothing else of it changes."""
    packet = provenance.xmp()
    if mime_type == "video/mp4":
        # A box at the end moves nothing that the index points to.
        size = 8 + len(_XMP_BOX) + len(packet)
        return data + struct.pack(">I", size) + b"uuid" + _XMP_BOX + packet
    if mime_type == "image/png":
        body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:-_PNG_END] + chunk + data[-_PNG_END:]
    raise ValueError(f"there is no place for provenance in {mime_type}")
