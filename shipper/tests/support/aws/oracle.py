"""What botocore says of a request: how it would sign it, and what AWS's model of the API finds wrong with its body.

One JSON object a line on standard input, one on standard output:
  {"service", "region", "key", "secret", "token", "at", "method", "url", "headers", "body" (base64), "operation" or null}
  {"headers": {name: value} that the signer adds, "errors": [...]}
"""

import base64
import datetime
import json
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from model import Model


def sign(request):
    at = datetime.datetime.strptime(request["at"], "%Y%m%dT%H%M%SZ")
    botocore.auth.get_current_datetime = lambda *_: at
    signer = botocore.auth.S3SigV4Auth if request["service"] == "s3" else botocore.auth.SigV4Auth
    credentials = Credentials(request["key"], request["secret"], request["token"])
    signed = AWSRequest(
        method=request["method"],
        url=request["url"],
        headers=request["headers"],
        data=base64.b64decode(request["body"]),
    )
    signer(credentials, request["service"], request["region"]).add_auth(signed)
    given = {name.lower() for name in request["headers"]}
    return {name.lower(): value for name, value in signed.headers.items() if name.lower() not in given}


def main():
    versions = {"logs": "2014-03-28", "kinesis": "2013-12-02", "firehose": "2015-08-04"}
    models = {service: Model(service, version) for service, version in versions.items()}
    for line in sys.stdin:
        request = json.loads(line)
        errors = []
        if request["operation"]:
            errors = models[request["service"]].errors(request["operation"], json.loads(base64.b64decode(request["body"])))
        print(json.dumps({"headers": sign(request), "errors": errors}), flush=True)


main()
