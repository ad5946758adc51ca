"""Rules that break requests on purpose, one a line, in the manner of tests/support/fault_proxy.py.

    op=PutVectors,times=3,fault=503            the next three are answered with 503, without effect
    op=CreateIndex,when=after,fault=500        the next one acts, and its caller hears 500
    op=DeleteVectors,when=after,fault=reset    ... and its caller hears nothing: the connection breaks

Conditions, all of which must hold; the first rule that fits is the one that acts:
    op=NAME         the operation; several with | between
    index=TEXT      the index's name (or ARN) contains TEXT; bucket=TEXT likewise
    nth=N           only the N-th request (from 1) that fits the conditions before
    times=M         so many of them, from the first or nth one; without nth and times: every one
    every=N         every N-th
    chance=0.1      at random, from --seed
    min_vectors=N   the request has so many vectors or keys at least

Faults:
    fault=STATUS    answer with this status; code=NAME the error code, if not the usual one; place=... as the switch error_place
    fault=reset     RST; fault=close: the connection ends in order, without an answer
    fault=stall     no answer until the client goes or ms=N have passed; then the connection ends
    fault=delay,ms=N    wait, then go on as without a rule
    fault=cut,at=N  the body of the answer ends after N bytes, with the connection (always after the effect)
    fault=garbage   200 with a body that is not JSON (always after the effect)
    when=after      the request acts first; otherwise (when=before) it has no effect
    retry_after=N   with a status: the header x-amz-retry-after, in ms
"""
import random

from .errors import PLACES

NUMBERS = {'nth', 'times', 'every', 'ms', 'at', 'min_vectors', 'retry_after'}
WORDS = {'op', 'index', 'bucket', 'fault', 'when', 'code', 'place'}
FAULTS = {'reset', 'close', 'stall', 'delay', 'cut', 'garbage'}


class Rule:
    def __init__(self, text):
        self.text, self.seen, self.hits = text, 0, 0
        self.chance, self.options = None, {}
        for part in text.split(','):
            name, _, value = part.strip().partition('=')
            if name in NUMBERS:
                self.options[name] = int(value)
            elif name == 'chance':
                self.chance = float(value)
            elif name in WORDS:
                self.options[name] = value
            else:
                raise ValueError(f'unknown option {name!r} in rule {text!r}')
        self.check()

    def check(self):
        fault = self.get('fault', '')
        if fault not in FAULTS and not (fault.isdigit() and 400 <= int(fault) <= 599):
            raise ValueError(f'no such fault in rule {self.text!r}')
        if self.get('when', 'before') not in ('before', 'after'):
            raise ValueError(f'when must be before or after in rule {self.text!r}')
        if self.get('place', PLACES[0]) not in PLACES:
            raise ValueError(f'place must be one of {", ".join(PLACES)} in rule {self.text!r}')

    def get(self, name, default=None):
        return self.options.get(name, default)

    @property
    def acts_after(self):
        return self.get('when') == 'after' or self.get('fault') in ('cut', 'garbage')

    def fits(self, call, dice):
        if self.get('op') is not None and call.name not in self.get('op').split('|'):
            return False
        if self.get('index', '') not in call.index or self.get('bucket', '') not in call.bucket:
            return False
        if call.vectors < self.get('min_vectors', 0):
            return False
        self.seen += 1
        first, times = self.get('nth', 1), self.get('times', 1 if 'nth' in self.options else None)
        if self.seen < first or (times is not None and self.seen >= first + times):
            return False
        if self.get('every') and self.seen % self.get('every'):
            return False
        if self.chance is not None and dice.random() >= self.chance:
            return False
        self.hits += 1
        return True


class Rules:
    def __init__(self, texts, seed):
        self.dice = random.Random(seed)
        self.replace(texts)

    def replace(self, texts):
        self.rules = [Rule(text) for text in texts if text.strip() and not text.startswith('#')]

    def add(self, texts):
        self.rules = self.rules + [Rule(text) for text in texts if text.strip()]

    def choose(self, call):
        return next((rule for rule in self.rules if rule.fits(call, self.dice)), None)

    def all(self):
        return [{'rule': rule.text, 'seen': rule.seen, 'hits': rule.hits} for rule in self.rules]
