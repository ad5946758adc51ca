#!/usr/bin/python3
"""What tests do to a bucket behind s3v's back; standard library only.

    s3.py list PREFIX          key, size and time of each object, one a line, by key
    s3.py get KEY              the object, to standard output
    s3.py put KEY              an object, from standard input
    s3.py delete KEY...
    s3.py make-bucket          which keeps versions
    s3.py delete-markers       how many the bucket holds

Server, bucket and keys come from S3V_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY, _SECRET_KEY.
"""

import datetime
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ET

REGION = "us-east-1"
ENDPOINT = urllib.parse.urlsplit(os.environ["S3V_TEST_S3_ENDPOINT"])
BUCKET = os.environ["S3V_TEST_S3_BUCKET"]
ACCESS_KEY = os.environ["S3V_TEST_S3_ACCESS_KEY"]
SECRET_KEY = os.environ["S3V_TEST_S3_SECRET_KEY"]


def quote(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-._~")


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def request(method, key, query=None, body=b""):
    """Signs (Signature Version 4, path style) and sends; returns the body of a 2xx answer."""
    path = quote(f"/{BUCKET}" + (f"/{key}" if key else ""), "/")
    query_text = "&".join(f"{quote(k)}={quote(v)}" for k, v in sorted((query or {}).items()))
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    payload = hashlib.sha256(body).hexdigest()
    headers = {"host": ENDPOINT.netloc, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [method, path, query_text, *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, payload]
    )
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("AWS4" + SECRET_KEY).encode()
    for part in (day, REGION, "s3", "aws4_request"):
        secret = sign(secret, part)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={sign(secret, text).hex()}"
    )
    connection = http.client.HTTPConnection(ENDPOINT.hostname, ENDPOINT.port, timeout=30)
    connection.request(method, path + ("?" + query_text if query_text else ""), body=body, headers=headers)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status // 100 != 2:
        sys.exit(f"s3.py: {method} {path}: {answer.status} {data.decode(errors='replace')}")
    return data


def list_objects(prefix):
    query = {"list-type": "2", "prefix": prefix}
    while True:
        page = ET.fromstring(request("GET", "", query))
        space = page.tag[: page.tag.index("}") + 1] if page.tag.startswith("{") else ""
        for item in page.findall(space + "Contents"):
            yield [item.findtext(space + name) for name in ("Key", "Size", "LastModified")]
        token = page.findtext(space + "NextContinuationToken")
        if not token:
            return
        query["continuation-token"] = token


def main(command, *arguments):
    if command == "list":
        for item in sorted(list_objects(arguments[0])):
            print("\t".join(item))
    elif command == "get":
        sys.stdout.buffer.write(request("GET", arguments[0]))
    elif command == "put":
        request("PUT", arguments[0], body=sys.stdin.buffer.read())
    elif command == "delete":
        for key in arguments:
            request("DELETE", key)
    elif command == "make-bucket":
        request("PUT", "")
        status = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        request("PUT", "", {"versioning": ""}, status)
    elif command == "delete-markers":
        print(request("GET", "", {"versions": ""}).count(b"<DeleteMarker>"))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
