"""moto's CloudWatch Logs, Kinesis and Firehose behind what AWS checks and moto does not: signatures, the API's model, the sums of a
request.

Prints the port on its first line and ends when its standard input does. Beside the API:

  POST /_fault     [{"kind": ..., "count": n, ...}], taken one after another by requests that put records:
                   error (status, code, message), status (a bare one), lost (stored, but the answer never comes),
                   proxy (200 of something else), expired (the session token, until it is renewed), partial (a share of the
                   records fails with a code; Kinesis and Firehose)
  DELETE /_fault   none any more
  GET /_stored     [[timestamp, message], ...] of a group and stream, in the order in which they came
  GET /_group      what a group was made with
  GET /_log        ["PutLogEvents 200", ...]
  POST /_make      a stream of Kinesis or Firehose: see streams.py
  GET /_records    what a Kinesis stream has: [[shard, partition key, text], ...]
  GET /_objects    what a Firehose stream has written: [text, ...]
"""

import collections
import gzip
import io
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from model import Model
from sigv4 import Refusal, judge
from streams import RESULTS, Streams

REGION = "eu-central-1"
DAY = 24 * 3600 * 1000
RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


class Front:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        models = [("logs", "2014-03-28"), ("kinesis", "2013-12-02"), ("firehose", "2015-08-04")]
        self.models = {model.prefix: (service, model) for service, model in ((name, Model(name, at)) for name, at in models)}
        self.streams = Streams(REGION)
        self.keys = {"AKIDEXAMPLE": ("secret/EXAMPLE+key", "session/token=", False)}
        self.faults = collections.deque()
        self.log = []
        self.lock = threading.Lock()
        # moto's stores are not made to be looked at while they are written to.
        self.store = threading.Lock()

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path.startswith("/_"):
            query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
            with self.store:
                return self.answer(start_response, 200, self.control(method, path, query, body))
        prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        service, model = self.models.get(prefix, ("logs", self.models["Logs_20140328"][1]))
        try:
            fault = self.next_fault(operation)
            if fault and fault["kind"] == "expired":
                raise Refusal("ExpiredTokenException", "The security token included in the request is expired")
            self.check_signature(environ, body, service)
            if fault and fault["kind"] == "error":
                raise Refusal(fault["code"], fault.get("message", "as injected"))
            if fault and fault["kind"] == "status":
                self.log.append(f"{operation} {fault['status']}")
                start_response(f"{fault['status']} Injected", [("Content-Length", "0")])
                return [b""]
            if fault and fault["kind"] == "proxy":
                self.log.append(f"{operation} proxy")
                start_response("200 OK", [("Content-Type", "text/html")])
                return [b"<html>Welcome to the hotel</html>"]
            if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
                body = gzip.decompress(body)
                environ.pop("HTTP_CONTENT_ENCODING")
            request = self.check_body(environ, model, operation, body)
        except Refusal as refusal:
            self.log.append(f"{operation} {refusal.code}")
            return self.answer(start_response, 400, {"__type": refusal.code, "message": refusal.message})
        if operation in RESULTS:
            # moto's shards are not made for several writers.
            with self.lock:
                status, headers, answer = self.streams.put(
                    operation, request, fault, lambda body: self.pass_on(environ, body)
                )
        else:
            status, headers, answer = self.pass_on(environ, body)
        if operation == "DescribeStreamSummary" and status.startswith("200"):
            answer = self.streams.described(request, answer)
        if operation == "PutLogEvents" and status.startswith("200"):
            answer = self.corrected(request["logEvents"], answer)
        code = json.loads(answer or b"{}").get("__type") if not status.startswith("200") else "200"
        self.log.append(f"{operation} {code}")
        if fault and fault["kind"] == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "date", "server")]
        start_response(status, [*kept, ("Content-Length", str(len(answer)))])
        return [answer]

    def next_fault(self, operation):
        with self.lock:
            if operation not in ("PutLogEvents", *RESULTS) or not self.faults:
                return None
            fault = self.faults[0]
            fault["count"] = fault.get("count", 1) - 1
            if fault["count"] == 0:
                self.faults.popleft()
            return fault

    def check_signature(self, environ, body, service):
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        path = urllib.parse.unquote(environ.get("RAW_URI", "/").partition("?")[0])
        judge(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body, self.keys, REGION, service)

    def check_body(self, environ, model, operation, body):
        if environ.get("CONTENT_TYPE") != "application/x-amz-json-1.1":
            raise Refusal("UnknownOperationException", "wrong content type")
        try:
            request = json.loads(body.decode("utf-8"))
        except ValueError as error:
            raise Refusal("SerializationException", str(error)) from None
        errors = model.errors(operation, request)
        if errors:
            raise Refusal("InvalidParameterException", f"{len(errors)} validation error detected: {errors[0]}")
        if operation == "PutRetentionPolicy" and request["retentionInDays"] not in RETENTIONS:
            raise Refusal("InvalidParameterException", "Invalid retention value")
        if operation == "PutLogEvents":
            self.check_sums(request["logEvents"])
        self.streams.check(operation, request)
        return request

    @staticmethod
    def check_sums(events):
        sizes = [len(event["message"].encode("utf-8")) + 26 for event in events]
        times = [event["timestamp"] for event in events]
        if max(sizes) > 1_048_576:
            raise Refusal("InvalidParameterException", f"Log event too large: {max(sizes)} bytes exceeds limit of 1048576")
        if sum(sizes) > 1_048_576:
            raise Refusal("InvalidParameterException", f"Upload too large: {sum(sizes)} bytes exceeds limit of 1048576")
        if times != sorted(times):
            raise Refusal("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
        if max(times) - min(times) > DAY:
            raise Refusal(
                "InvalidParameterException",
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            )

    @staticmethod
    def corrected(events, answer):
        """moto names the last event that is too old and the last one that is too new; AWS the one behind the one and the first
        of the other (its model's documentation)."""
        answer = json.loads(answer)
        now, info = time.time() * 1000, answer.get("rejectedLogEventsInfo")
        if info:
            if "tooOldLogEventEndIndex" in info:
                info["tooOldLogEventEndIndex"] = sum(event["timestamp"] < now - 14 * DAY for event in events)
            if "tooNewLogEventStartIndex" in info:
                info["tooNewLogEventStartIndex"] = len(events) - sum(event["timestamp"] > now + DAY / 12 for event in events)
        return json.dumps(answer).encode()

    def pass_on(self, environ, body):
        inner, came = dict(environ), {}
        inner["wsgi.input"], inner["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))

        def start(status, headers, _error=None):
            came["status"], came["headers"] = status, headers

        with self.store:
            answer = b"".join(self.moto(inner, start))
        return came["status"], came["headers"], answer

    def control(self, method, path, query, body):
        backend = logs_backends[DEFAULT_ACCOUNT_ID][REGION]
        if path == "/_fault":
            with self.lock:
                self.faults.extend(json.loads(body) if method == "POST" else [])
                if method == "DELETE":
                    self.faults.clear()
                return len(self.faults)
        if path == "/_log":
            return self.log
        if path == "/_make":
            return self.streams.make(json.loads(body))
        if path == "/_records":
            return self.streams.records(query["stream"])
        if path == "/_objects":
            return self.streams.objects(query["stream"])
        group = backend.groups.get(query["group"])
        if path == "/_group":
            return group and {
                "retention": group.retention_in_days,
                "kms": group.kms_key_id,
                "tags": backend.list_tags_for_resource(group.arn),
            }
        stream = group and group.streams.get(query["stream"])
        return [[event.timestamp, event.message] for event in stream.events] if stream else None

    @staticmethod
    def answer(start_response, status, body):
        body = json.dumps(body).encode()
        start_response(
            f"{status} {'OK' if status == 200 else 'Bad Request'}",
            [
                ("Content-Type", "application/x-amz-json-1.1"),
                ("Content-Length", str(len(body))),
                ("x-amzn-RequestId", "0b2cd5a1-2c3f-4b8e-9a68-6c0e2b6c7c1f"),
            ],
        )
        return [body]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    server = make_server("127.0.0.1", 0, Front(), threaded=True, request_handler=Quiet)
    print(server.port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
