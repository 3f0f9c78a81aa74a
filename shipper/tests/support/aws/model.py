"""Judges the body of a request by AWS's own model of the API (service-2.json, which botocore carries).

botocore's client does not enforce patterns and maxima; the services do.
"""

import base64
import binascii
import gzip
import json
import pathlib
import re

import botocore


def load(service, version):
    folder = pathlib.Path(botocore.__file__).parent / "data" / service / version
    packed = folder / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "service-2.json").read_bytes()
    return json.loads(text)


class Model:
    def __init__(self, service, version):
        self.model = load(service, version)
        self.prefix = self.model["metadata"]["targetPrefix"]

    def errors(self, operation, body):
        """What is wrong with `body`, a JSON value, as the input of `operation`."""
        shape = self.model["operations"].get(operation, {}).get("input", {}).get("shape")
        if shape is None:
            return [f"there is no operation {operation}"]
        found = []
        self._judge(shape, body, "", found)
        return found

    def _judge(self, name, value, where, found):
        shape = self.model["shapes"][name]
        judge = getattr(self, "_" + shape["type"], None)
        if judge is None:
            found.append(f"{where}: shapes of type {shape['type']} are not judged here")
        elif value is None:
            found.append(f"{where}: null")
        else:
            judge(shape, value, where, found)

    def _structure(self, shape, value, where, found):
        if not isinstance(value, dict):
            found.append(f"{where}: not an object")
            return
        for key in shape.get("required", []):
            if key not in value:
                found.append(f"{where}.{key}: missing")
        for key, member in value.items():
            if key not in shape["members"]:
                found.append(f"{where}.{key}: unknown")
            else:
                self._judge(shape["members"][key]["shape"], member, f"{where}.{key}", found)

    def _list(self, shape, value, where, found):
        if not isinstance(value, list):
            found.append(f"{where}: not a list")
            return
        self._bounds(shape, len(value), where, found)
        for at, member in enumerate(value):
            self._judge(shape["member"]["shape"], member, f"{where}[{at}]", found)

    def _map(self, shape, value, where, found):
        if not isinstance(value, dict):
            found.append(f"{where}: not an object")
            return
        self._bounds(shape, len(value), where, found)
        for key, member in value.items():
            self._judge(shape["key"]["shape"], key, f"{where}.{key} (key)", found)
            self._judge(shape["value"]["shape"], member, f"{where}.{key}", found)

    def _string(self, shape, value, where, found):
        if not isinstance(value, str):
            found.append(f"{where}: not a string")
            return
        self._bounds(shape, len(value), where, found)
        if "pattern" in shape and not re.fullmatch(shape["pattern"].replace(r"\p{L}", "^\\W\\d_").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d"), value):
            found.append(f"{where}: {value[:80]!r} is not {shape['pattern']}")
        if "enum" in shape and value not in shape["enum"]:
            found.append(f"{where}: {value[:80]!r} is none of {shape['enum']}")

    def _long(self, shape, value, where, found):
        if not isinstance(value, int) or isinstance(value, bool):
            found.append(f"{where}: not an integer")
            return
        self._bounds(shape, value, where, found)

    _integer = _long

    def _blob(self, shape, value, where, found):
        try:
            self._bounds(shape, len(base64.b64decode(value, validate=True)), where, found)
        except (TypeError, binascii.Error):
            found.append(f"{where}: not base64")

    def _boolean(self, _shape, value, where, found):
        if not isinstance(value, bool):
            found.append(f"{where}: not a boolean")

    @staticmethod
    def _bounds(shape, measure, where, found):
        if measure < shape.get("min", measure) or measure > shape.get("max", measure):
            found.append(f"{where}: {measure} is not from {shape.get('min')} to {shape.get('max')}")
