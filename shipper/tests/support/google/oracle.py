"""What Google's own code makes of requests: one `entries:write` body a line in, one JSON line of findings out.

Each is parsed with Google's WriteLogEntriesRequest type (unknown fields, enums, times, types) and compared with the discovery
document that Google's client library comes with. `sizes` are the entries' bytes in the API's own form, `payloads` what a
reader of the log would get back, with the bits of each number.
"""

import json
import struct
import sys

from google.cloud.logging_v2.types import WriteLogEntriesRequest
from google.protobuf import json_format
from googleapiclient import discovery_cache

DOCUMENT = json.loads(discovery_cache.get_static_doc("logging", "v2"))
SCHEMAS = DOCUMENT["schemas"]
TEXTS = {"google-datetime", "google-duration", "int64", "uint64", "byte", None}


def problems(value, schema, place):
    """Where `value` is not as `schema` says."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"]]
    kind = schema.get("type")
    if kind == "any":
        return
    if kind == "object":
        if not isinstance(value, dict):
            yield f"{place} is no object"
            return
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, member in value.items():
            below = known.get(name, others)
            if below is None:
                yield f"{place}.{name} is unknown"
            else:
                yield from problems(member, below, f"{place}.{name}")
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{place} is no list"
            return
        for at, item in enumerate(value):
            yield from problems(item, schema["items"], f"{place}[{at}]")
    elif kind == "string":
        if not isinstance(value, str):
            yield f"{place} is no text"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{place} is none of {schema['enum']}"
        elif schema.get("format") in ("int64", "uint64") and not value.lstrip("-").isdigit():
            yield f"{place} is no number in a text"
        elif schema.get("format") not in TEXTS:
            yield f"{place} has a format that is not checked here: {schema['format']}"
    elif kind == "integer":
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{place} is no whole number"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{place} is neither true nor false"
    else:
        yield f"{place} has a type that is not checked here: {kind}"


def exact(value):
    """A payload with its numbers bit by bit: decimal texts could be read in more than one way."""
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, float):
        return "double:" + struct.pack(">d", value).hex()
    return value


def judge(line):
    found = list(problems(json.loads(line), {"$ref": "WriteLogEntriesRequest"}, "request"))
    sizes, payloads = [], []
    try:
        request = json_format.Parse(line, WriteLogEntriesRequest.pb()())
        for entry in request.entries:
            # What a request says for all entries is each entry's own.
            entry.log_name = request.log_name
            if request.HasField("resource"):
                entry.resource.CopyFrom(request.resource)
            entry.labels.update(request.labels)
            sizes.append(entry.ByteSize())
            payloads.append(exact(json_format.MessageToDict(entry.json_payload)))
    except (json_format.ParseError, ValueError) as error:
        found.append(str(error))
    return {"problems": found, "sizes": sizes, "payloads": payloads}


for line in sys.stdin:
    print(json.dumps(judge(line)), flush=True)
