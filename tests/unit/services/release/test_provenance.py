"""What made a file stands in the file, and is signed where there is a key."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import av
import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

import omnireel
from omnireel.errors import InvalidInput
from omnireel.media import read_clip, read_image, write_mp4, write_png
from omnireel.types import Clip
from services.worker.release.provenance import SOURCE_TYPE, Provenance, stamp
from services.worker.release.signing import ContentSigner

FRAMES = np.random.default_rng(0).integers(0, 255, (9, 32, 48, 3), np.uint8)
MP4, PNG = write_mp4(Clip(FRAMES, 8.0)), write_png(FRAMES[0])
MADE = Provenance("j1", {"generate": 'g-1"<&', "upscale": "u-2"})


def check_packet(packet: str) -> None:
    assert SOURCE_TYPE in packet and 'AIGenerated="true"' in packet
    assert f"Omnireel {omnireel.__version__}" in packet
    assert 'Job="j1"' in packet and 'upscale="u-2"' in packet
    assert "g-1&quot;" in packet or "'g-1\"&lt;&amp;'" in packet


def test_a_video_says_what_made_it_and_plays_as_before() -> None:
    marked = stamp(MP4, "video/mp4", MADE)
    assert marked.startswith(MP4)
    # FFmpeg itself reads the packet.
    with av.open(io.BytesIO(marked), options={"export_xmp": "1"}) as container:
        check_packet(container.metadata["xmp"])
    before, after = read_clip(MP4), read_clip(marked)
    assert (before.frames_THWC == after.frames_THWC).all() and before.fps == after.fps


def test_a_picture_says_what_made_it_and_looks_as_before() -> None:
    marked = stamp(PNG, "image/png", MADE)
    with Image.open(io.BytesIO(marked)) as image:
        image.load()
        check_packet(image.info["XML:com.adobe.xmp"])
    assert (read_image(marked).frames_THWC == FRAMES[:1]).all()


def test_other_types_have_no_place_for_it() -> None:
    with pytest.raises(ValueError, match="image/gif"):
        stamp(b"GIF89a", "image/gif", MADE)


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
        ]
    )


def usage(*, sign: bool = False, certify: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(sign, False, False, False, False, certify, certify, False, False)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def authority() -> tuple[str, str, str]:
    """A certificate authority's own certificate, a signer's chain under it, and the key."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def certificate(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        )

    root = (
        certificate("Root", root_key.public_key())
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(usage(certify=True), True)
        .sign(root_key, hashes.SHA256())
    )
    signer = (
        certificate("Signer", key.public_key())
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(usage(sign=True), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
        )
        .sign(root_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return pem(root), pem(signer) + pem(root), secret


def read_manifest(data: bytes, mime_type: str, root: str) -> dict[str, object]:
    """As the reference reader sees it, when it trusts ``root``."""
    trust = {"trust": {"trust_anchors": root}, "verify": {"verify_trust": True}}
    with c2pa.Context(c2pa.Settings.from_dict(trust)) as context:
        reader = c2pa.Reader(mime_type, io.BytesIO(data), context=context)
        found: dict[str, object] = json.loads(reader.json())
        reader.close()
    return found


@pytest.mark.parametrize(("data", "mime_type"), [(MP4, "video/mp4"), (PNG, "image/png")])
def test_a_signed_file_is_trusted_and_a_changed_one_is_not(
    authority: tuple[str, str, str], data: bytes, mime_type: str
) -> None:
    root, chain, key = authority
    signed = ContentSigner(chain, key).sign(stamp(data, mime_type, MADE), mime_type, MADE)
    found = read_manifest(signed, mime_type, root)
    assert found["validation_state"] == "Trusted"
    manifest = found["manifests"][found["active_manifest"]]  # type: ignore[index]
    actions = next(a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    (action,) = actions["data"]["actions"]
    assert action["digitalSourceType"] == SOURCE_TYPE
    assert action["parameters"]["job"] == "j1" and action["parameters"]["upscale"] == "u-2"
    assert manifest["claim_generator_info"][0]["name"] == "Omnireel"
    assert SOURCE_TYPE.encode() in signed
    changed = bytearray(signed)
    at = changed.index(b"mdat" if mime_type == "video/mp4" else b"IDAT") + 20
    changed[at] ^= 0xFF
    assert read_manifest(bytes(changed), mime_type, root)["validation_state"] == "Invalid"


def test_a_signed_video_plays_as_before(authority: tuple[str, str, str]) -> None:
    _, chain, key = authority
    signed = ContentSigner(chain, key).sign(MP4, "video/mp4", MADE)
    assert (read_clip(signed).frames_THWC == read_clip(MP4).frames_THWC).all()


def test_a_wrong_key_is_said_at_start(authority: tuple[str, str, str], tmp_path: Path) -> None:
    _, chain, key = authority
    with pytest.raises(InvalidInput, match="cannot be used"):
        ContentSigner(chain, "no key")
    with pytest.raises(InvalidInput, match="cannot be used"):
        ContentSigner("no chain", key)
    with pytest.raises(InvalidInput, match="no signing algorithm"):
        ContentSigner(chain, key, "md5")
