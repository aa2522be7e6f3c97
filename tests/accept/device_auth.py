#!/usr/bin/env python3
"""A Mender server behind the mutual-TLS edge: device authentication, and as much more as a client asks for.

It decides on an authorization request as mender-gateway and deviceauth do together:

  - the edge names the client certificate that it has verified (X-SSL-Client-Cert), and its key is the request's
    'pubkey': the keys are compared, not their texts;
  - X-MEN-Signature is valid for the body with that key: RSA PKCS#1 v1.5 and ECDSA over SHA-256, Ed25519 as it is;
  - the identity is known and preauthorized with that key (--preauthorized: lines of JSON as 'imprint ledger export
    --format preauthorize' writes them). Without the option every identity is.

Who passes gets a token, signed with the key that 'imprint keygen' has made for deviceauth; the other requests of
devices need it. It says 'port N' once it listens, and writes a line of JSON to --log for each request.
"""

import argparse
import base64
import http.server
import json
import sys
import threading
import time
import urllib.parse
import uuid

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

AUTH = "/api/devices/v1/authentication/auth_requests"
# Asked for with a token: what the server answers when there is nothing to do.
OTHERS = {
    ("GET", "/api/devices/v1/deployments/device/deployments/next"): 204,
    ("POST", "/api/devices/v2/deployments/device/deployments/next"): 204,
    ("PUT", "/api/devices/v1/inventory/device/attributes"): 200,
    ("PATCH", "/api/devices/v1/inventory/device/attributes"): 200,
}


class Refused(Exception):
    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pkix(key):
    """The one form of a public key: two texts of it may differ, this does not."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def kind_of(key):
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa:{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ec:{key.curve.name}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    raise Refused(400, "the public key is of a kind that devices do not have")


def verify(key, signature, data):
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(signature, data)


class Tokens:
    """JWTs, signed with deviceauth's private key: RS256, or EdDSA for an Ed25519 key."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.key = serialization.load_pem_private_key(file.read(), None)
        self.algorithm = "RS256" if isinstance(self.key, rsa.RSAPrivateKey) else "EdDSA"

    def make(self, device):
        claims = {
            "jti": str(uuid.uuid4()),
            "sub": device,
            "exp": int(time.time()) + 3600,
            "iss": "Mender",
            "mender.device": True,
        }
        parts = [{"alg": self.algorithm, "typ": "JWT"}, claims]
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        if self.algorithm == "RS256":
            signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self.key.sign(text.encode())
        return text + "." + base64url(signature)

    def device(self, token):
        """The device that the token is for."""
        try:
            text, _, signature = token.rpartition(".")
            verify(self.key.public_key(), from_base64url(signature), text.encode())
            claims = json.loads(from_base64url(text.partition(".")[2]))
        except (InvalidSignature, ValueError):
            raise Refused(401, "the token is not of this server") from None
        if claims["exp"] < time.time():
            raise Refused(401, "the token has expired")
        return claims["sub"]


class Fleet:
    """Which identities are known, with which keys."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.ids = {}

    def keys(self):
        """Sets of keys by identity: the file may grow at any time. None: everybody is known."""
        if not self.path:
            return None
        keys = {}
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                body = json.loads(line)
                key = serialization.load_pem_public_key(body["pubkey"].encode())
                keys.setdefault(self.name(body["identity_data"]), set()).add(pkix(key))
        return keys

    @staticmethod
    def name(identity):
        return json.dumps(identity, sort_keys=True, separators=(",", ":"))

    def admit(self, identity, key):
        """The device's id."""
        name = self.name(identity)
        keys = self.keys()
        if keys is not None:
            if name not in keys:
                raise Refused(401, "the device is pending: nobody has preauthorized its identity")
            if pkix(key) not in keys[name]:
                raise Refused(401, "the device is pending: it was preauthorized with another key")
        with self.lock:
            return self.ids.setdefault(name, str(uuid.uuid4()))


def request_of(body):
    try:
        request = json.loads(body)
        identity = json.loads(request["id_data"])
        key = serialization.load_pem_public_key(request["pubkey"].encode())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(400, "the request has no identity and public key that can be read") from None
    if not isinstance(identity, dict) or not identity:
        raise Refused(400, "the identity is not an object with members")
    return identity, key


def check_certificate(certificate, key):
    if certificate is None:
        raise Refused(401, "the edge names no client certificate")
    if pkix(certificate.public_key()) != pkix(key):
        raise Refused(401, "the request's public key is not that of the client certificate")


def check_signature(text, key, body):
    try:
        verify(key, base64.b64decode(text, validate=True), body)
    except (InvalidSignature, ValueError):
        raise Refused(401, "X-MEN-Signature is not valid") from None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_):
        pass

    def certificate(self):
        pem = self.headers.get("X-SSL-Client-Cert", "")
        return x509.load_pem_x509_certificate(urllib.parse.unquote(pem).encode()) if pem else None

    def authorize(self, body, note):
        identity, key = request_of(body)
        note.update(identity=identity, key=kind_of(key))
        check_certificate(self.certificate(), key)
        check_signature(self.headers.get("X-MEN-Signature", ""), key, body)
        device = self.server.fleet.admit(identity, key)
        note["device"] = device
        return 200, "application/jwt", self.server.tokens.make(device).encode()

    def other(self, note):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Refused(401, "there is no token")
        note["device"] = self.server.tokens.device(token)
        status = OTHERS.get((self.command, urllib.parse.urlsplit(self.path).path))
        if status is None:
            raise Refused(404, "not found")
        return status, "application/json", b""

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        note = {
            "method": self.command,
            "path": urllib.parse.urlsplit(self.path).path,
            "serial": self.headers.get("X-SSL-Client-Serial", "").lower(),
            "reason": "",
        }
        try:
            authorizes = (self.command, self.path) == ("POST", AUTH)
            status, kind, content = self.authorize(body, note) if authorizes else self.other(note)
        except Refused as refusal:
            note["reason"] = str(refusal)
            text = {"error": str(refusal), "request_id": str(uuid.uuid4())}
            status, kind, content = refusal.status, "application/json", json.dumps(text).encode()
        note["status"] = status
        self.server.write(note)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = serve


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.tokens = Tokens(options.key)
        self.fleet = Fleet(options.preauthorized)
        self.log = open(options.log, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def write(self, note):
        with self.lock:
            self.log.write(json.dumps(note) + "\n")
            self.log.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True, help="deviceauth's private key")
    parser.add_argument("--log", required=True)
    parser.add_argument("--preauthorized")
    parser.add_argument("--port", type=int, default=0)
    server = Server(parser.parse_args())
    print("port", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
