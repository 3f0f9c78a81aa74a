"""What AWS does with records put into Kinesis Data Streams and Data Firehose, and moto does not: the limits of a request and of a
stream, `DryRun`, records of which a part fails, and no order among the records of a request.

Of https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html and
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html.
"""

import base64
import binascii
import json
import random

from moto.core import DEFAULT_ACCOUNT_ID
from moto.firehose.models import firehose_backends
from moto.kinesis.models import KinesisBackend, kinesis_backends
from moto.s3.models import s3_backends

from sigv4 import Refusal

KIB = 1024
# "up to a limit of 10 MiB for the entire request, including partition keys"
KINESIS_BYTES = 10 * KIB * KIB
# "up to a limit of 4 MB for the entire request": the smaller reading of MB, and base64 counts.
FIREHOSE_BYTES = 4_000_000
FIREHOSE_RECORD = 1_024_000
RESULTS = {
    "PutRecords": ("Records", "FailedRecordCount"),
    "PutRecordBatch": ("RequestResponses", "FailedPutCount"),
}
MESSAGES = {
    "ProvisionedThroughputExceededException": "Rate exceeded for shard shardId-000000000000 in stream",
    "InternalFailure": "Internal Service Failure",
    "ServiceUnavailableException": "Slow down.",
}


def put_records(self, stream_arn, stream_name, records):
    """Without moto's own limits, which are those of 2024: Streams.check knows today's."""
    stream = self.describe_stream(stream_arn=stream_arn, stream_name=stream_name)
    answer = {"FailedRecordCount": 0, "Records": []}
    for record in records:
        data = record["Data"]
        text = base64.b64encode(data).decode() if isinstance(data, bytes) else data
        sequence, shard = stream.put_record(record["PartitionKey"], None, text)
        answer["Records"].append({"SequenceNumber": sequence, "ShardId": shard})
    return answer


KinesisBackend.put_records = put_records


class Streams:
    def __init__(self, region):
        self.region = region
        self.kinesis = kinesis_backends[DEFAULT_ACCOUNT_ID][region]
        self.firehose = firehose_backends[DEFAULT_ACCOUNT_ID][region]
        self.s3 = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self.record_kib = {}
        self.dice = random.Random(7)
        self.refused_records = 0

    def make(self, what):
        """A stream: {"kinesis": name, "shards": n, "mode": ..., "kib": n} or {"firehose": name}."""
        if "kinesis" in what:
            mode = {"StreamMode": what.get("mode", "PROVISIONED")}
            self.kinesis.create_stream(what["kinesis"], what.get("shards", 1), stream_mode=mode)
            self.record_kib[what["kinesis"]] = what.get("kib", KIB)
        if "firehose" in what:
            self.s3.create_bucket(f"firehose-{what['firehose']}", self.region)
            nothing = dict.fromkeys(
                ["kinesis_stream_source_configuration", "delivery_stream_encryption_configuration_input"]
                + [
                    f"{name}_destination_configuration"
                    for name in ["extended_s3", "redshift", "elasticsearch", "splunk", "http_endpoint", "snowflake", "iceberg"]
                ],
                {},
            )
            self.firehose.create_delivery_stream(
                region=self.region,
                delivery_stream_name=what["firehose"],
                delivery_stream_type="DirectPut",
                s3_destination_configuration={"BucketARN": f"arn:aws:s3:::firehose-{what['firehose']}", "RoleARN": "arn:aws:iam::1:role/a"},
                tags=[],
                **nothing,
            )

    def records(self, name):
        """[[shard, partition key, text], ...] of a Kinesis stream, those of a shard in its order."""
        shards = self.kinesis.streams[name].shards.values()
        return [
            [shard.shard_id, record.partition_key, base64.b64decode(record.data).decode()]
            for shard in shards
            for record in shard.records.values()
        ]

    def objects(self, name):
        """What a Firehose stream has written, object by object."""
        return [key.value.decode() for key in self.s3.buckets[f"firehose-{name}"].keys.values()]

    def check(self, operation, request):
        """Refuses what AWS refuses and its model does not say."""
        if operation == "PutRecords":
            self._check_kinesis(request)
        if operation == "PutRecordBatch":
            sizes = [len(self._data(record)) for record in request["Records"]]
            if max(sizes) > FIREHOSE_RECORD:
                raise Refusal("ValidationException", "1 validation error detected: a record is too large")
            if sum(len(record["Data"]) for record in request["Records"]) > FIREHOSE_BYTES:
                raise Refusal("InvalidArgumentException", "Request size exceeds the limit of 4 MB")

    def _check_kinesis(self, request):
        if "StreamName" not in request and "StreamARN" not in request:
            raise Refusal("InvalidArgumentException", "StreamName or StreamARN is required")
        arn = request.get("StreamARN", "")
        name = request.get("StreamName") or arn.rpartition("/")[2]
        if name not in self.kinesis.streams or arn not in ("", self.kinesis.streams[name].arn):
            raise Refusal("ResourceNotFoundException", f"Stream {name} under account {DEFAULT_ACCOUNT_ID} not found.")
        sizes = []
        for record in request["Records"]:
            if "PartitionKey" not in record:
                raise Refusal("InvalidArgumentException", "PartitionKey is required")
            # As Java counts characters.
            if len(record["PartitionKey"].encode("utf-16-le")) // 2 > 256:
                raise Refusal("ValidationException", "1 validation error detected: a partition key is too long")
            sizes.append(len(self._data(record)) + len(record["PartitionKey"].encode()))
        limit = self.record_kib[name] * KIB
        if max(sizes) > limit:
            self.refused_records += 1
            raise Refusal("InvalidArgumentException", f"a record of {max(sizes)} bytes exceeds the stream's limit of {limit}")
        if sum(sizes) > KINESIS_BYTES:
            raise Refusal("InvalidArgumentException", f"Records size of {sum(sizes)} exceeds 10 MiB")
        if request.get("DryRun"):
            raise Refusal("DryRunOperationException", "The request would have succeeded, but the DryRun parameter is set.")

    @staticmethod
    def _data(record):
        try:
            return base64.b64decode(record["Data"], validate=True)
        except binascii.Error as error:
            raise Refusal("SerializationException", str(error)) from None

    def put(self, operation, request, fault, pass_on):
        """The answer to a put of which a part fails if `fault` says so; what is left is stored in whatever order."""
        list_name, count_name = RESULTS[operation]
        records = request["Records"]
        results = [None] * len(records)
        left = list(range(len(records)))
        self.dice.shuffle(left)
        if operation == "PutRecordBatch":
            # Objects are compared as a whole.
            left.sort()
        if fault and fault["kind"] == "partial":
            for at in [at for at in left if self.dice.random() < fault["share"]]:
                left.remove(at)
                results[at] = {"ErrorCode": fault["code"], "ErrorMessage": MESSAGES[fault["code"]]}
        status, headers, answer = "200 OK", [], b"{}"
        failed = len(records) - len(left)
        if left:
            body = json.dumps({**request, "Records": [records[at] for at in left]}).encode()
            status, headers, answer = pass_on(body)
            if not status.startswith("200"):
                return status, headers, answer
            for at, result in zip(left, json.loads(answer)[list_name], strict=True):
                results[at] = result
        answer = json.dumps({count_name: failed, list_name: results}).encode()
        if not headers:
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", "b1b7e1d6")]
        return status, headers, answer

    def described(self, request, answer):
        """With what moto does not tell."""
        answer = json.loads(answer)
        summary = answer["StreamDescriptionSummary"]
        summary["MaxRecordSizeInKiB"] = self.record_kib[summary["StreamName"]]
        return json.dumps(answer).encode()
