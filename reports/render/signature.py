"""A finished PDF signed by the platform.

A signature is PAdES (baseline B: no time-stamp server, no revocation data) over the whole file as
it is sent, so whoever wants it encrypted as well encrypts first. It is random by nature.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificates

FIELD = "Platform"


class NoSigner(ValueError):
    """The key or its certificates are none that sign a report."""


@dataclass(frozen=True)
class Signer:
    """The platform's key, its certificate first, then those that vouch for it."""

    key: bytes  # PEM
    certificates: bytes  # PEM

    def check(self) -> None:
        """Raises NoSigner with what is wrong."""
        try:
            key = load_pem_private_key(self.key, None)
            chain = load_pem_x509_certificates(self.certificates)
        except (ValueError, TypeError) as problem:
            raise NoSigner(f"not PEM: {problem}") from None
        if not isinstance(key, EllipticCurvePrivateKey):
            raise NoSigner("the key is not on an elliptic curve")
        if chain[0].public_key() != key.public_key():
            raise NoSigner("the certificate is not that of the key")


def signed(pdf: bytes, signer: Signer, *, name: str, password: str | None = None) -> bytes:
    """The PDF with the platform's signature, not drawn on any page. `password` opens it.

    Raises RuntimeError where an event loop runs: pyHanko runs one of its own.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("reports are signed where no event loop runs: in a worker")
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers
    from pyhanko.sign.fields import SigSeedSubFilter

    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    if password is not None:
        writer.encrypt(password)  # type: ignore[no-untyped-call]
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD, md_algorithm="sha256", name=name, subfilter=SigSeedSubFilter.PADES
    )
    out: io.BytesIO = signers.sign_pdf(writer, meta, _signer(signer), output=io.BytesIO())
    return out.getvalue()


def _signer(signer: Signer) -> Any:
    from asn1crypto import keys, pem, x509
    from pyhanko.sign import signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    found = load_pem_private_key(signer.key, None)
    der = found.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chain = [
        x509.Certificate.load(content)
        for _name, _headers, content in pem.unarmor(signer.certificates, multiple=True)
    ]
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(chain)
    return signers.SimpleSigner(
        signing_cert=chain[0],
        signing_key=keys.PrivateKeyInfo.load(der),
        cert_registry=store,
    )
