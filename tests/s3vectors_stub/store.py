"""What the service keeps, in memory: buckets, indexes, and each index's vectors as one matrix of float32."""
import base64
import hashlib
import itertools
import json
import secrets
import threading
import time
import zlib
from contextlib import contextmanager

import numpy as np

from .errors import ServiceError

ACCOUNT = '123456789012'
SERIAL = itertools.count(1)


class SharedLock:
    """Many readers or one writer; waiting writers go first."""

    def __init__(self):
        self.condition = threading.Condition()
        self.readers, self.waiting, self.writing = 0, 0, False

    @contextmanager
    def read(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.writing and not self.waiting)
            self.readers += 1
        try:
            yield
        finally:
            with self.condition:
                self.readers -= 1
                self.condition.notify_all()

    @contextmanager
    def write(self):
        with self.condition:
            self.waiting += 1
            self.condition.wait_for(lambda: not self.writing and not self.readers)
            self.waiting -= 1
            self.writing = True
        try:
            yield
        finally:
            with self.condition:
                self.writing = False
                self.condition.notify_all()


class TokenBucket:
    """So many a second, at most one second's worth at once; a batch that is larger goes when the bucket is full."""

    def __init__(self):
        self.tokens, self.filled = None, 0.0

    def take(self, count, rate, now):
        self.tokens = rate if self.tokens is None else min(rate, self.tokens + (now - self.filled) * rate)
        self.filled = now
        if self.tokens < min(count, rate):
            return False
        self.tokens -= count
        return True


class Vectors:
    """Rows in slots; a deleted row's slot is used again. `rows` is the number of slots ever used."""

    def __init__(self, dimension):
        self.dimension, self.rows = dimension, 0
        self.data = np.zeros((0, dimension), np.float32)
        self.squares = np.zeros(0, np.float64)  # squared length of each row
        self.live = np.zeros(0, bool)
        self.bytes = np.zeros(0, np.int64)  # key, vector and metadata, as a page of ListVectors counts them
        self.keys, self.metadata, self.slots, self.free = [], [], {}, []

    def reserve(self, rows):
        if rows <= len(self.data):
            return
        size = max(rows, 2 * len(self.data), 1024)
        for name in ('data', 'squares', 'live', 'bytes'):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[:self.rows] = old[:self.rows]
            setattr(self, name, new)

    def put(self, keys, matrix, metadata, metadata_bytes):
        """Rows as a whole take the place of those with the same keys. metadata: objects, or None for a row without."""
        self.reserve(self.rows + len(keys))
        slots = [self.slot_for(key) for key in keys]
        self.data[slots] = matrix
        self.squares[slots] = np.einsum('ij,ij->i', matrix, matrix, dtype=np.float64)
        self.live[slots] = True
        self.bytes[slots] = [4 * self.dimension + len(key.encode()) + size for key, size in zip(keys, metadata_bytes)]
        for slot, key, document in zip(slots, keys, metadata):
            self.keys[slot], self.metadata[slot] = key, document

    def slot_for(self, key):
        slot = self.slots.get(key)
        if slot is None:
            if self.free:
                slot = self.free.pop()
            else:
                slot = self.rows
                self.rows += 1
                self.keys.append(None)
                self.metadata.append(None)
            self.slots[key] = slot
        return slot

    def delete(self, keys):
        for key in keys:
            slot = self.slots.pop(key, None)
            if slot is not None:
                self.live[slot] = False
                self.keys[slot] = self.metadata[slot] = None
                self.free.append(slot)

    def __len__(self):
        return len(self.slots)


class Index:
    def __init__(self, bucket, name, dimension, metric, created, **rest):
        self.bucket, self.name, self.dimension, self.metric, self.created = bucket, name, dimension, metric, created
        self.arn = f'{bucket.arn}/index/{name}'
        self.mode, self.encryption, self.tags = rest['mode'], rest['encryption'], rest['tags']
        self.non_filterable, self.text_search = rest['non_filterable'], rest['text_search']
        self.vectors, self.lock, self.version = Vectors(dimension), SharedLock(), 0
        self.serial = next(SERIAL)  # tells it from an index of the same name before it
        self.buckets = {'write_requests': TokenBucket(), 'write_vectors': TokenBucket(), 'read_requests': TokenBucket()}
        self.bucket_lock, self.masks = threading.Lock(), {}

    def spend(self, switches, kind, vectors=0):
        """Takes from the token buckets of 'write' or 'read'; 429 when they are empty."""
        if not switches.rate_limits:
            return
        now = time.monotonic()
        with self.bucket_lock:
            if kind == 'read':
                wanted = [('read_requests', 1, switches.read_requests_per_s)]
            else:
                wanted = [('write_requests', 1, switches.write_requests_per_s),
                          ('write_vectors', vectors, switches.write_vectors_per_s)]
            for name, count, rate in wanted:
                if rate and not self.buckets[name].take(count, rate, now):
                    raise ServiceError('TooManyRequestsException', 'Rate exceeded')


class Bucket:
    def __init__(self, name, region, created, old, encryption, tags):
        self.name, self.created, self.old, self.encryption, self.tags = name, created, old, encryption, tags
        self.arn = f'arn:aws:s3vectors:{region}:{ACCOUNT}:bucket/{name}'
        self.default_mode = 'CLASSIC' if old else 'ENHANCED'
        self.policy, self.indexes = None, {}


class Account:
    """All buckets. `lock` guards the maps of buckets and indexes, not their vectors."""

    def __init__(self, region):
        self.region, self.buckets, self.lock = region, {}, threading.RLock()
        self.secret = secrets.token_bytes(16)
        self.searches = {}  # QueryVectors tokens

    def clear(self):
        with self.lock:
            self.buckets, self.searches = {}, {}

    def seal(self, content):
        """An opaque token that says this."""
        text = json.dumps(content, separators=(',', ':')).encode()
        check = hashlib.blake2b(text, key=self.secret, digest_size=6).digest()
        return base64.urlsafe_b64encode(check + bytes(a ^ b for a, b in zip(text, itertools.cycle(check)))).decode()

    def unseal(self, token):
        """What the token says; None when it is not ours."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except ValueError:
            return None
        text = bytes(a ^ b for a, b in zip(raw[6:], itertools.cycle(raw[:6])))
        if hashlib.blake2b(text, key=self.secret, digest_size=6).digest() != raw[:6]:
            return None
        return json.loads(text)


def scattered(key):
    """A number that has nothing to do with the order of keys, the same in every run."""
    return zlib.crc32(key.encode())
