#!/usr/bin/env python3
"""A Mender server's device authentication, as far as preauthorization goes, with faults.

It answers as mender-server does: 201 with 'Location: devices/ID'; 409 that shows the device without
its keys; with 'force' the key is added and the Location names an id that no device has. It says
'port N' once it listens, and writes a line of JSON to --log for each request.
"""

import argparse
import base64
import http.server
import json
import re
import ssl
import sys
import threading
import time
import uuid

API = "/api/management/v2/devauth/devices"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--token", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--known", help="devices that are there already: lines of JSON")
    parser.add_argument("--fault", default="")
    parser.add_argument("--times", type=int, default=1 << 30, help="so many requests get the fault")
    parser.add_argument("--skip", type=int, default=0, help="so many before that get none")
    parser.add_argument("--only", default="", help="the fault is for devices with this 'mac'")
    parser.add_argument("--old", action="store_true", help="409 shows no device")
    parser.add_argument("--delay", type=float, default=0)
    return parser.parse_args()


OPTIONS = arguments()
LOCK = threading.Lock()
DEVICES = {}  # by identity
FAULTS = {"seen": 0, "given": 0}
ACTIVE = {"now": 0}
LOG = open(OPTIONS.log, "a", encoding="utf-8")


def identity(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def normal_key(pem):
    found = re.fullmatch(
        r"\s*-----BEGIN PUBLIC KEY-----(.+)-----END PUBLIC KEY-----\s*", pem, re.DOTALL
    )
    if not found:
        return None
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
    except ValueError:
        return None
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"


def auth_set(pem, status="preauthorized"):
    return {"id": str(uuid.uuid4()), "pubkey": normal_key(pem), "status": status}


def add_device(data, sets, status="preauthorized", decommissioning=False):
    device = {
        "id": str(uuid.uuid4()),
        "identity_data": data,
        "status": status,
        "auth_sets": sets,
        "decommissioning": decommissioning,
    }
    DEVICES[identity(data)] = device
    return device


def load_known(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            known = json.loads(line)
            sets = []
            if known.get("pubkey"):
                sets = [auth_set(known["pubkey"], known.get("key_status", "preauthorized"))]
            device = add_device(
                known["identity_data"], sets, decommissioning=known.get("decommissioning", False)
            )
            device["id"] = known.get("id", device["id"])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_):
        pass

    def answer(self, status, document=None, headers=()):
        body = b"" if document is None else json.dumps(document).encode()
        # One segment: http.server would write head and body apart.
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.wfile.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def refuse(self, status, text, headers=()):
        self.answer(status, {"error": text, "request_id": str(uuid.uuid4())}, headers)

    def note(self, body):
        authorization = self.headers.get("Authorization", "")
        record = {
            "method": self.command,
            "path": self.path,
            "authorized": authorization == "Bearer " + OPTIONS.token,
            "type": self.headers.get("Content-Type", ""),
            "agent": self.headers.get("User-Agent", ""),
            "client": self.client_address[1],
            "active": ACTIVE["now"],
            "at": time.time(),
            "body": body,
        }
        LOG.write(json.dumps(record) + "\n")
        LOG.flush()
        return record["authorized"]

    def fault_for(self, body):
        if not OPTIONS.fault:
            return ""
        if OPTIONS.only and (body or {}).get("identity_data", {}).get("mac") != OPTIONS.only:
            return ""
        FAULTS["seen"] += 1
        if FAULTS["seen"] <= OPTIONS.skip or FAULTS["given"] >= OPTIONS.times:
            return ""
        FAULTS["given"] += 1
        return OPTIONS.fault

    def do_POST(self):
        self.serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self):
        self.serve(b"")

    def serve(self, raw):
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        with LOCK:
            ACTIVE["now"] += 1
            authorized = self.note(body)
            fault = self.fault_for(body)
        try:
            time.sleep(OPTIONS.delay)
            if fault and not self.give(fault, body):
                return
            if not authorized:
                self.refuse(401, "unauthorized")
            elif self.command == "POST" and self.path == API:
                self.preauthorize(body)
            elif self.command == "GET" and self.path.startswith(API + "/"):
                self.show(self.path[len(API) + 1 :])
            else:
                self.refuse(404, "not found")
        finally:
            with LOCK:
                ACTIVE["now"] -= 1

    def give(self, fault, body):
        """True: the request is answered as usual after all."""
        if fault == "slow":
            time.sleep(3)
            return False
        if fault == "gone":  # of a GET: the device was removed meanwhile
            if self.command == "GET":
                with LOCK:
                    DEVICES.clear()
            return True
        if fault == "no-keys" and self.command == "GET":
            self.answer(200, {"id": "d1", "status": "accepted"})
        elif fault == "no-keys":
            return True
        elif fault == "garbage":
            self.wfile.write(b"\x00\x01\x02 what is this\r\n\r\n")
        elif fault == "cut":
            self.wfile.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 1000\r\n\r\n{\"id\":")
        elif fault == "huge":
            self.wfile.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 100000000\r\n\r\n")
            try:
                for _ in range(1000):
                    self.wfile.write(b"x" * 100000)
            except OSError:
                pass
        elif fault == "redirect":
            self.answer(307, None, [("Location", "https://elsewhere.example.com" + API)])
            return False
        elif fault == "page":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
            return False
        elif fault == "no-id":
            self.answer(201)
            return False
        elif fault == "lost":  # done, but the answer does not arrive
            with LOCK:
                add_device(body["identity_data"], [auth_set(body["pubkey"])])
        elif fault == "unfinished":  # broken off between device and key
            with LOCK:
                add_device(body["identity_data"], [])
            self.refuse(500, "internal error")
            return False
        elif fault == "echo":
            self.refuse(400, "what is " + self.headers.get("Authorization", "") + "?")
            return False
        elif fault == "odd-text":
            self.refuse(400, "bad\x1b[31m\nkey")
            return False
        elif fault.startswith("429"):  # 429:SECONDS
            self.refuse(429, "too many requests", [("Retry-After", fault.partition(":")[2] or "0")])
            return False
        elif fault != "drop":
            self.refuse(int(fault), "so it is")
            return False
        self.close_connection = True
        return False

    def preauthorize(self, body):
        if not isinstance(body, dict) or not isinstance(body.get("identity_data"), dict):
            return self.refuse(400, "failed to decode preauth request")
        pem = normal_key(body.get("pubkey", ""))
        if not body["identity_data"] or pem is None:
            return self.refuse(400, "failed to decode preauth request: cannot decode public key")
        with LOCK:
            device = DEVICES.get(identity(body["identity_data"]))
            if device is None:
                device = add_device(body["identity_data"], [auth_set(pem)])
                location = device["id"]
            elif body.get("force"):
                device["auth_sets"] = [s for s in device["auth_sets"] if s["pubkey"] != pem]
                device["auth_sets"].append(auth_set(pem))
                location = str(uuid.uuid4())
            else:
                location = None
        if location:
            return self.answer(201, None, [("Location", "devices/" + location)])
        if OPTIONS.old:
            return self.refuse(409, "device already exists")
        shown = {name: value for name, value in device.items() if name != "auth_sets"}
        return self.answer(409, shown)

    def show(self, device_id):
        with LOCK:
            found = [d for d in DEVICES.values() if d["id"] == device_id]
        if not found:
            return self.refuse(404, "device not found")
        return self.answer(200, found[0])


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    context = None

    def finish_request(self, request, client_address):
        # In the connection's own thread: a slow handshake is nobody else's.
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass  # clients that go away are what is tested


def main():
    if OPTIONS.known:
        load_known(OPTIONS.known)
    server = Server(("127.0.0.1", 0), Handler)
    if OPTIONS.certificate:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(OPTIONS.certificate, OPTIONS.key)
    print("port", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
