"""A throwaway signer: certificates made on the spot that name nobody."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USES = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
USES += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]


def write_signer(folder):
    """``chain.pem`` and ``signer.pem`` in a folder."""
    authority, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = certificate("leaf", signer, authority), certificate("root", authority, authority)
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "signer.pem").write_bytes(signer.private_bytes(serialization.Encoding.PEM, *plain))
    (folder / "signer.pem").chmod(0o600)
    return folder / "chain.pem", folder / "signer.pem"


def certificate(subject, key, issuer_key):
    def name(text):
        parts = (x509.oid.NameOID.ORGANIZATION_NAME, "Nobody"), (x509.oid.NameOID.COMMON_NAME, text)
        return x509.Name([x509.NameAttribute(*part) for part in parts])

    now, is_root = datetime.now(UTC), key is issuer_key
    used = {"key_cert_sign", "crl_sign"} if is_root else {"digital_signature"}
    builder = x509.CertificateBuilder(name("root"), name(subject), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        builder.add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(x509.KeyUsage(**{use: use in used for use in USES}), critical=True)
        .add_extension(known, critical=False)
    )
    if not is_root:
        mail = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(mail, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
