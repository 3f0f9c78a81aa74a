"""Cloud Storage as far as it can be had: gcp-storage-emulator behind a front that does what the emulator leaves out.

The emulator checks crc32c and keeps the objects. The front demands the token that its metadata server gives, honours
`ifGenerationMatch=0` (one create at a time, as the store is atomic), answers testIamPermissions, and makes faults.

Prints its port, then answers one JSON line for each: {"lost": n} closes after the next n uploads are stored, {"busy": n}
answers 503 to the next n, {"refuse": true|false} answers 403 to all, {"dump": DIR} writes every object below DIR and gives how
many there are, {"count": true} gives only that. Ends with its standard input.
"""

import http.client
import json
import os
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gcp_storage_emulator.server import create_server

BUCKET = "audit"
TOKEN = "ya29.token-of-the-vm"

lock = threading.Lock()
faults = {"lost": 0, "busy": 0, "refuse": False}
uploads = {"created": 0, "taken": 0}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


EMULATOR = free_port()


def emulator(method, target, headers=(), body=b""):
    connection = http.client.HTTPConnection("127.0.0.1", EMULATOR, timeout=30)
    connection.request(method, target, body=body or None, headers=dict(headers))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.getheader("content-type") or "application/json", content


def error(status, reason, message):
    body = {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}
    return status, "application/json; charset=UTF-8", json.dumps(body).encode()


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, kind, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path.startswith("/computeMetadata/"):
            if self.headers.get("Metadata-Flavor") != "Google":
                return self.reply(403, "text/html", b"")
            token = json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
            return self.reply(200, "application/json", token.encode(), [("Metadata-Flavor", "Google")])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply(*error(401, "authError", "Invalid Credentials"))
        if faults["refuse"]:
            return self.reply(*error(403, "forbidden", "does not have storage.objects.create access"))
        if url.path.endswith("/iam/testPermissions"):
            asked = [value for name, value in urllib.parse.parse_qsl(url.query) if name == "permissions"]
            return self.reply(200, "application/json", json.dumps({"permissions": asked}).encode())
        if not url.path.startswith("/upload/"):
            return self.reply(*emulator(self.command, self.path, self.headers.items(), body))
        return self.upload(query, body)

    def upload(self, query, body):
        with lock:
            busy, faults["busy"] = faults["busy"] > 0, max(0, faults["busy"] - 1)
            if busy:
                return self.reply(*error(503, "backendError", "We encountered an internal error."))
            start = body.index(b"{")
            resource, _ = json.JSONDecoder().raw_decode(body[start : body.index(b"\r\n--", start)].decode())
            name = urllib.parse.quote(resource["name"], safe="")
            there, _, _ = emulator("GET", f"/storage/v1/b/{BUCKET}/o/{name}")
            if query.get("ifGenerationMatch") == "0" and there == 200:
                uploads["taken"] += 1
                return self.reply(*error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."))
            answer = emulator("POST", self.path, self.headers.items(), body)
            uploads["created"] += answer[0] == 200
            lost = answer[0] == 200 and faults["lost"] > 0
            faults["lost"] -= lost
        if lost:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        return self.reply(*answer)

    do_GET = do_POST = handle_any


def objects():
    names, page = [], ""
    while True:
        _, _, body = emulator("GET", f"/storage/v1/b/{BUCKET}/o?pageToken={page}")
        listed = json.loads(body)
        names += [item["name"] for item in listed.get("items", [])]
        page = listed.get("nextPageToken", "")
        if not page:
            return names


def dump(folder):
    names = objects()
    for name in names:
        quoted = urllib.parse.quote(name, safe="")
        _, _, body = emulator("GET", f"/download/storage/v1/b/{BUCKET}/o/{quoted}?alt=media")
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
    return len(names)


def main():
    create_server("127.0.0.1", EMULATOR, in_memory=True, default_bucket=BUCKET).start()
    front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    front.daemon_threads = True
    # Senders are killed in the middle of their requests.
    front.handle_error = lambda *_: None
    threading.Thread(target=front.serve_forever, daemon=True).start()
    print(front.server_port, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "dump" in command:
            found = {"objects": dump(command["dump"])}
        elif "count" in command:
            found = {}
        else:
            with lock:
                faults.update(command)
            found = {}
        print(json.dumps({**found, **uploads}), flush=True)
    os._exit(0)


main()
