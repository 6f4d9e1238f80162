"""The soft binding inside a real, signed manifest; the certificates are made on the spot and name nobody."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from watermark.codec import Layout, Payload
from watermark.labels import soft_binding

c2pa = pytest.importorskip("c2pa", reason="needs the extra: c2pa")
x509 = pytest.importorskip("cryptography.x509")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402


def test_a_signed_manifest_carries_the_assertion_and_reads_back_as_the_payload():
    payload = Payload(7, 123, 1)
    name = soft_binding.algorithm_name("org.example", "tile_spread", "1")
    assertion = {"label": soft_binding.ASSERTION, "data": soft_binding.soft_binding_assertion(name, Layout(), payload)}
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    created = {"action": "c2pa.created", "digitalSourceType": source}
    actions = {"label": "c2pa.actions", "data": {"actions": [created, {"action": "c2pa.watermarked"}]}}
    manifest = {"claim_generator_info": [{"name": "test", "version": "0"}], "assertions": [actions, assertion]}
    picture, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "JPEG")
    picture.seek(0)
    with c2pa.Builder(json.dumps(manifest)) as builder:
        builder.sign(throwaway_signer(), "image/jpeg", picture, signed)
    signed.seek(0)
    report = json.loads(c2pa.Reader("image/jpeg", signed).json())
    assert report["validation_state"] == "Valid"
    read = report["manifests"][report["active_manifest"]]["assertions"]
    (found,) = [one["data"] for one in read if one["label"] == soft_binding.ASSERTION]
    assert found["alg"] == name
    assert soft_binding.payload_of(found, Layout()) == payload


def throwaway_signer():
    authority, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate("root", "root", authority, authority, is_authority=True)
    leaf = certificate("leaf", "root", signer, authority, is_authority=False)
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))
    plain = serialization.NoEncryption()
    private = signer.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(alg=c2pa.C2paSigningAlg.ES256, sign_cert=chain, private_key=private, ta_url=None)
    )


def certificate(subject, issuer, key, issuer_key, *, is_authority):
    def name(text):
        attribute = x509.oid.NameOID
        common = x509.NameAttribute(attribute.COMMON_NAME, text)
        return x509.Name([x509.NameAttribute(attribute.ORGANIZATION_NAME, "Nobody"), common])

    kinds = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    usage = dict.fromkeys([*kinds, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"], False)
    usage |= {"key_cert_sign": True, "crl_sign": True} if is_authority else {"digital_signature": True}
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        mail = x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION
        builder = builder.add_extension(x509.ExtendedKeyUsage([mail]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
