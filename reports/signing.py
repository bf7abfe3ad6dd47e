"""With which key the platform signs reports: the deployment's, or outside production one of this
checkout's own, which vouches for nothing.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.conf import settings

from reports.render.signature import NoSigner, Signer

SET_THEM = "Set REPORT_SIGNING_KEY and REPORT_SIGNING_CERTIFICATE (PEM; the key EC P-256)."


def signer() -> Signer:
    """Raises NoSigner where there is none, or what is set does not fit together."""
    key, certificate = settings.REPORT_SIGNING_KEY, settings.REPORT_SIGNING_CERTIFICATE
    if key or certificate:
        given = Signer(key.encode(), certificate.encode())
        given.check()
        return given
    if settings.PRODUCTION:
        raise NoSigner(f"there is no key to sign reports with. {SET_THEM}")
    return _own()


def _own() -> Signer:
    path = Path(settings.VAR) / "secrets" / "report-signing.pem"
    if not path.is_file():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(self_signed(settings.PORTAL_NAME))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # two workers starting at once agree on one
        fresh.unlink()
    both = path.read_bytes()
    at = both.index(b"-----BEGIN CERTIFICATE")
    return Signer(both[:at], both[at:])


def self_signed(name: str) -> bytes:
    """A new key and a certificate that it signed itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            *("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, content_commitment=True, **usage), critical=True
        )
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
