"""Judges a signature (AWS Signature Version 4), written from AWS's description of it and not from botocore."""

import datetime
import hashlib
import hmac
import re
import urllib.parse

SKEW = datetime.timedelta(minutes=5)


class Refusal(Exception):
    """An error of the service: its code and message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def judge(method, path, query, headers, body, keys, region, service):
    """Raises Refusal unless the request is signed by one of `keys` (id -> (secret, token, expired)).

    `headers` have lower-case names.
    """
    authorization = headers.get("authorization")
    if authorization is None:
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        authorization,
    )
    if found is None:
        raise Refusal("IncompleteSignatureException", f"Authorization is not understood: {authorization}")
    key, date, in_region, for_service, names, signature = found.groups()
    if key not in keys:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    secret, token, expired = keys[key]
    if headers.get("x-amz-security-token") != token:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    if expired:
        raise Refusal("ExpiredTokenException", "The security token included in the request is expired")
    if (in_region, for_service) != (region, service):
        raise Refusal(
            "InvalidSignatureException",
            f"Credential should be scoped to region {region} and service {service}, not {in_region} and {for_service}.",
        )
    stamp = headers.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not stamp.startswith(date):
        raise Refusal("InvalidSignatureException", f"x-amz-date {stamp!r} is not of {date}")
    at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc)
    if at < now - SKEW:
        raise Refusal("InvalidSignatureException", f"Signature expired: {stamp} is now earlier than {now - SKEW:%Y%m%dT%H%M%SZ}")
    if at > now + SKEW:
        raise Refusal("InvalidSignatureException", f"Signature not yet current: {stamp} is still later than {now + SKEW:%Y%m%dT%H%M%SZ}")
    signed = names.split(";")
    if signed != sorted(set(signed)) or "host" not in signed:
        raise Refusal("InvalidSignatureException", f"SignedHeaders are not sorted or lack the host: {names}")
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if unsigned or ("content-type" in headers and "content-type" not in signed):
        raise Refusal("InvalidSignatureException", f"not signed: {unsigned or 'content-type'}")
    if any(name not in headers for name in signed):
        raise Refusal("InvalidSignatureException", f"signed but not sent: {names}")

    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in pairs)
    canonical = "\n".join(
        [
            method,
            # Twice encoded, as for every service but S3.
            urllib.parse.quote(urllib.parse.quote(path, safe="/-_.~"), safe="/-_.~"),
            canonical_query,
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    derived = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        derived = _hmac(derived, part)
    expected = _hmac(derived, text).hex()
    if not hmac.compare_digest(expected, signature):
        raise Refusal(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
