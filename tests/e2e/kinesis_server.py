"""Kinesis (kinesalite), and a gate before it: that checks every signature as AWS would, and that can be shut, or
refuse what comes, as AWS does at times."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
KEYS = {"AKIDBASIC": "basic/secret+1", "AKIDPROFILE": "profile/secret+2", "AKIDTEMPORARY": "temporary/secret+3",
        "AKIDINSTANCE": "instance/secret+4"}
TOKENS = {"AKIDTEMPORARY": "a+token/==", "AKIDINSTANCE": "token-of-the-instance"}


def installed():
    """Where run-tests has put kinesalite; it is installed here if a test is run by hand."""
    command = f"source {ROOT}/tools/setup.sh && node_packages kinesalite {ROOT}/tools/kinesalite"
    return subprocess.run(["bash", "-c", command], cwd=ROOT, check=True, capture_output=True, text=True,
                          timeout=300).stdout.strip()


def signature_fault(method, path, headers, body):
    """What AWS would say of a signature; None if it is right."""
    authorization = headers.get("Authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return "MissingAuthenticationTokenException"
    parts = dict(part.strip().split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
    access, *scope = parts["Credential"].split("/")
    if access not in KEYS or TOKENS.get(access) != headers.get("X-Amz-Security-Token"):
        return "UnrecognizedClientException"
    names = parts["SignedHeaders"].split(";")
    must = {"host", "x-amz-date"} | ({"x-amz-security-token"} if access in TOKENS else set())
    if scope[1:] != [REGION, "kinesis", "aws4_request"] or not must <= set(names):
        return "InvalidSignatureException"
    canonical = "\n".join([method, path, "", *(f"{name}:{' '.join(headers[name].split())}" for name in names), "",
                           ";".join(names), hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"], "/".join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + KEYS[access]).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return None if hmac.compare_digest(expected, parts["Signature"]) else "InvalidSignatureException"


class Gate(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # a runtime that was killed


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        kinesis = self.server.kinesis
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if kinesis.is_shut:
            self.close_connection = True
            return None
        action = self.headers["X-Amz-Target"].split(".")[1]
        fault = signature_fault("POST", self.path, self.headers, body)
        if fault:
            kinesis.bad_signatures.append(fault)
            return self.answer(400, json.dumps({"__type": fault, "message": "no"}).encode())
        kinesis.calls.append(action)
        refusal = kinesis.next_refusal(action)
        if refusal == "some":
            return self.answer(200, json.dumps(kinesis.put_some(json.loads(body))).encode())
        if refusal:
            return self.answer(400, json.dumps({"__type": refusal, "message": "as a test wants it"}).encode())
        self.answer(*kinesis.forward(action, body))


class Kinesis:
    def __init__(self, directory, certificate=None):
        self.log = open(Path(directory) / "kinesalite.log", "ab")
        self.process = subprocess.Popen(["node", ROOT / "tests/e2e/kinesalite.js"], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env={**os.environ, "NODE_PATH": installed()})
        self.inner = int(self.process.stdout.readline())
        self.certificate = certificate
        self.bad_signatures, self.calls, self.refusals = [], [], []
        self.lock = threading.Lock()
        self.gate, self.port = None, 0
        self.open()

    @property
    def endpoint(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    # --- the gate ---

    def open(self):
        self.is_shut = False
        self.gate = Gate(("127.0.0.1", self.port), Handler)
        self.gate.kinesis = self
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.gate.socket = context.wrap_socket(self.gate.socket, server_side=True)
        self.port = self.gate.server_address[1]
        threading.Thread(target=self.gate.serve_forever, args=(0.05,), daemon=True).start()

    def shut(self):
        """Nobody gets in, those who are in neither."""
        self.gate.shutdown()
        self.gate.server_close()
        self.is_shut = True

    def reopen(self):
        self.open()

    def refuse(self, action, type, times=1):
        """'some' refuses every third record of a PutRecords."""
        with self.lock:
            self.refusals += [[action, type, times]]

    def relent(self):
        with self.lock:
            self.refusals.clear()

    def next_refusal(self, action):
        with self.lock:
            for refusal in self.refusals:
                if refusal[0] in (action, "*") and refusal[2] > 0:
                    refusal[2] -= 1
                    return refusal[1]
        return None

    def put_some(self, request):
        records = request["Records"]
        taken = [record for i, record in enumerate(records) if i % 3 != 1]
        answer = json.loads(self.forward("PutRecords", json.dumps({**request, "Records": taken}).encode())[1])
        good = iter(answer["Records"])
        refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "too much"}
        return {"FailedRecordCount": len(records) - len(taken),
                "Records": [refused if i % 3 == 1 else next(good) for i in range(len(records))]}

    # --- Kinesis ---

    def forward(self, action, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.inner, timeout=30)
        try:
            connection.request("POST", "/", body, {
                "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Kinesis_20131202.{action}",
                "X-Amz-Date": "20260101T000000Z", "Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, "
                "SignedHeaders=host, Signature=f"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def call(self, action, **request):
        status, body = self.forward(action, json.dumps(request).encode())
        assert status == 200, body
        return json.loads(body) if body else {}

    def wait_active(self, stream):
        deadline = time.monotonic() + 20
        while self.call("DescribeStreamSummary", StreamName=stream)["StreamDescriptionSummary"][
                "StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def make_stream(self, stream, shards=1):
        self.call("CreateStream", StreamName=stream, ShardCount=shards)
        self.wait_active(stream)

    def delete_stream(self, stream):
        self.call("DeleteStream", StreamName=stream)
        deadline = time.monotonic() + 20
        while stream in self.call("ListStreams")["StreamNames"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def open_shards(self, stream):
        shards = self.call("ListShards", StreamName=stream)["Shards"]
        return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def split(self, stream):
        for shard in self.open_shards(stream):
            keys = shard["HashKeyRange"]
            middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
            self.call("SplitShard", StreamName=stream, ShardToSplit=shard["ShardId"],
                      NewStartingHashKey=str(middle))
            self.wait_active(stream)

    def merge(self, stream):
        shards = sorted(self.open_shards(stream), key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        self.call("MergeShards", StreamName=stream, ShardToMerge=shards[0]["ShardId"],
                  AdjacentShardToMerge=shards[1]["ShardId"])
        self.wait_active(stream)

    def put(self, stream, records):
        """(partition key, text) pairs, in order: a request for each, as Kinesis promises none for one."""
        for key, text in records:
            self.call("PutRecord", StreamName=stream, PartitionKey=key,
                      Data=base64.b64encode(text.encode()).decode())

    def read(self, stream):
        """All that is in a stream, shard after shard, as (partition key, text)."""
        records = []
        for shard in self.call("ListShards", StreamName=stream)["Shards"]:
            iterator = self.call("GetShardIterator", StreamName=stream, ShardId=shard["ShardId"],
                                 ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while True:
                answer = self.call("GetRecords", ShardIterator=iterator)
                records += [(record["PartitionKey"], base64.b64decode(record["Data"]).decode())
                            for record in answer["Records"]]
                iterator = answer.get("NextShardIterator")
                if not iterator or not answer["Records"]:
                    break
        return records

    def end(self):
        self.gate.shutdown()
        self.gate.server_close()
        self.process.kill()
        self.process.wait()
        self.log.close()
