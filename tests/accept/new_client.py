#!/usr/bin/env python3
"""The authorization of Mender clients from 4.0 on, with the files of a provisioned image, read by debugfs.

Debian 12 has client 3.4, and the later ones differ in what matters to an identity:

  - requests are signed with Security.AuthPrivateKey and nothing else. Without it the client uses the key that it has in its
    own data, and makes one if there is none: RSA of 3072 bits in 4.x, Ed25519 from 5.0 on;
  - of the file HttpsClient.Certificate only the first certificate is sent;
  - a configuration file that is no JSON is left out.

Both configuration files count, key by key, the names in any case; the one in /etc/mender stands above the other.

Prints one JSON object: 'status' of the HTTP answer (0: there was none), 'said' by the server, 'token', 'work': the status of
a request made with the token, 'generated': whether the client had to make a key.
"""

import argparse
import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

AUTH = "/api/devices/v1/authentication/auth_requests"
NEXT = "/api/devices/v1/deployments/device/deployments/next"
END = b"-----END CERTIFICATE-----"


class Image:
    """The files of an image as the running device finds them: /data is a partition of its own."""

    def __init__(self, path, rootfs, data):
        self.path, self.rootfs, self.data = path, rootfs, data

    def read(self, path):
        """None: there is no such file."""
        if path.startswith("/var/lib/mender/"):  # a symbolic link, as on every Mender device
            path = "/data/mender/" + path[len("/var/lib/mender/") :]
        offset = self.rootfs
        if path.startswith("/data/"):
            offset, path = self.data, path[len("/data") :]
        found = subprocess.run(
            ["debugfs", "-R", f"cat {path}", f"{self.path}?offset={offset}"],
            capture_output=True,
            check=True,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        )
        return None if b"File not found" in found.stderr else found.stdout


def merged(base, top):
    """Objects key by key, at every depth, names in any case."""
    result = {name.lower(): value for name, value in base.items()}
    for name, value in top.items():
        below = result.get(name.lower())
        if isinstance(value, dict):
            value = merged(below if isinstance(below, dict) else {}, value)
        result[name.lower()] = value
    return result


def configuration(image):
    conf = {}
    for path in ("/var/lib/mender/mender.conf", "/etc/mender/mender.conf"):
        text = image.read(path)
        try:
            conf = merged(conf, json.loads(text or "{}"))
        except ValueError:
            pass
    return conf


def identity(image):
    """What the device says that it is: its identity script, run by the shell."""
    script = image.read("/usr/share/mender/identity/mender-device-identity")
    said = subprocess.run(["sh", "-s"], input=script, capture_output=True, check=True).stdout
    return dict(line.split("=", 1) for line in said.decode().splitlines())


def signing_key(image, conf, generation):
    """The key, and whether it was made just now."""
    path = conf.get("security", {}).get("authprivatekey", "")
    pem = image.read(path or "/var/lib/mender/mender-agent.pem")
    if pem is not None:
        return serialization.load_pem_private_key(pem, None), False
    if path:
        sys.exit(f"there is no '{path}'")
    if generation >= 5:
        return ed25519.Ed25519PrivateKey.generate(), True
    return rsa.generate_private_key(65537, 3072), True


def signature(key, body):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(body, ec.ECDSA(hashes.SHA256()))
    return key.sign(body)


def public_pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def tls(image, conf, whole_chain):
    context = ssl.create_default_context()
    trusted = conf.get("servercertificate")
    if trusted:
        context.load_verify_locations(cadata=image.read(trusted).decode())
    client = conf.get("httpsclient", {})
    if bool(client.get("certificate")) != bool(client.get("key")):
        sys.exit("Cannot set only one of client certificate and client certificate private key")
    if client.get("certificate"):
        chain = image.read(client["certificate"])
        sent = chain if whole_chain else chain[: chain.index(END) + len(END)] + b"\n"
        # The library wants files; nobody else may read them, and they are gone at once.
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("certificate", "key")]
            for name, content in zip(names, (sent, image.read(client["key"]))):
                with open(name, "wb") as file:
                    file.write(content)
            context.load_cert_chain(*names)
    return context


class Connection(http.client.HTTPSConnection):
    """Names are looked up in the image's /etc/hosts."""

    def __init__(self, url, image, context):
        super().__init__(url.hostname, url.port or 443, timeout=20, context=context)
        self.tls, self.address = context, url.hostname
        for line in (image.read("/etc/hosts") or b"").decode().splitlines():
            if url.hostname in line.split()[1:]:
                self.address = line.split()[0]

    def connect(self):
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def tampered(how, key, request):
    """The body that is sent, and its signature; both are wrong in the way asked for."""
    if how == "text":  # no defect: another text of the same key
        request["pubkey"] = request["pubkey"].replace("\n", "\r\n")
    body = json.dumps(request).encode()
    signed = base64.b64encode(signature(key, body)).decode()
    if how == "body":
        body += b" "
    elif how == "signature":
        other = ec.generate_private_key(ec.SECP256R1())
        signed = base64.b64encode(signature(other, body)).decode()
    elif how == "unsigned":
        signed = ""
    return body, signed


def talk(image, options):
    conf = configuration(image)
    key, generated = signing_key(image, conf, options.generation)
    request = {
        "id_data": json.dumps(identity(image)),
        "pubkey": public_pem(key),
        "tenant_token": conf.get("tenanttoken", ""),
    }
    body, signed = tampered(options.tamper, key, request)
    context = tls(image, conf, options.whole_chain)
    url = urllib.parse.urlsplit(conf["serverurl"])
    result = {"status": 0, "said": "", "token": "", "work": 0, "generated": generated}
    try:
        connection = Connection(url, image, context)
        headers = {"Content-Type": "application/json", "X-MEN-Signature": signed}
        connection.request("POST", AUTH, body, headers)
        answer = connection.getresponse()
        result.update(status=answer.status, said=answer.read().decode())
        if answer.status == 200:
            result["token"] = result["said"]
            bearer = {"Authorization": "Bearer " + result["token"] + options.spoil_token}
            connection.request("GET", NEXT, headers=bearer)
            work = connection.getresponse()
            result.update(work=work.status, said=work.read().decode())
    except (OSError, http.client.HTTPException) as error:
        result["said"] = str(error)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", required=True)
    parser.add_argument("--rootfs", type=int, required=True, help="offset in bytes")
    parser.add_argument("--data", type=int, required=True, help="offset in bytes")
    parser.add_argument("--generation", type=int, choices=(4, 5), default=5)
    parser.add_argument("--whole-chain", action="store_true", help="as clients before 4.0")
    parser.add_argument("--tamper", choices=("body", "signature", "unsigned", "text"))
    parser.add_argument("--spoil-token", default="", help="what is put after the token")
    options = parser.parse_args()
    print(json.dumps(talk(Image(options.image, options.rootfs, options.data), options)))


if __name__ == "__main__":
    sys.exit(main())
