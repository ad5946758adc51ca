"""Signatures: known ones, and every way to be refused."""
import json
import time

from .client import Client
from .signature import authorization
from .stub_case import StubCase

CREDENTIAL = ('AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
BASE = {'host': 's3vectors.us-east-1.api.aws', 'x-amz-date': '20260102T030405Z'}
POSTED = {**BASE, 'content-type': 'application/json'}
TAGS = '/tags/arn%3Aaws%3As3vectors%3Aus-east-1%3A123456789012%3Abucket%2Fbkt-a'
QUERY = {'vectorBucketName': 'bkt-a', 'indexName': 'idx-a', 'topK': 3, 'queryVector': {'float32': [0.1, 1, -2.5]}}

# Made by the official SDK's signer and by hand; both agreed.
GOLDEN = [
    ('POST', '/QueryVectors', '', POSTED, json.dumps(QUERY, separators=(',', ':')),
     'a6d77a372b52448e8b5aee710384cba875bc748042fc62277b30ba0bb28782cf'),
    ('GET', TAGS + '%2Findex%2Fidx-a', '', BASE, '', '4da90f566317ca7045c32182aba7ff3b44e52ece01cc639db340e02d0317ac0c'),
    ('DELETE', TAGS, 'tagKeys=a%20b&tagKeys=c', BASE, '', '471e375db3f31c505fe0711510c2bf824876bde152a069af23418a09b25fcc8d'),
    ('POST', '/ListVectorBuckets', '',
     {**POSTED, 'x-amz-security-token': 'TOKEN',
      'x-amz-content-sha256': '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'},
     '{}', '3f5ce8e870a3cf5475f0a724ede61890d4bd6ba4196b560ebbabd3abaf3f4b53'),
    ('POST', '/QueryVectors', '', POSTED, json.dumps(QUERY), 'deb6df5b697aac5470532628dfacf3506ae867e763ef8094536650b35de9ef11'),
    ('POST', '/ListVectorBuckets', '', POSTED, '{}', '7b1f57ee2d3a9008595ffe7f98ecefceb0facaab4ebbaff2737002647e64a728'),
    ('POST', '/ListVectorBuckets', '', {**POSTED, 'x-amz-security-token': 'TOKEN'}, '{}',
     '74e6ad81ab315ab769ef4bd969ba0239c12af48ebfd8f3c3fef4602cced8f605'),
]


class Signature(StubCase):
    def refused(self, code, client=None, change=None):
        answer = (client or self.client).send('POST', '/ListVectorBuckets', b'{}', change=change)
        self.assertEqual((answer.status, answer.code), (403, code), answer.body)
        return answer

    def test_golden_signatures(self):
        for method, path, query, headers, body, expected in GOLDEN:
            made = authorization(method, path, query, headers, body.encode(), CREDENTIAL, 'us-east-1')
            self.assertEqual(made.rsplit('=', 1)[1], expected, path)

    def test_wrong_secret(self):
        self.refused('InvalidSignatureException', self.other('stub-key', 'stub-secreT'))

    def test_unknown_key(self):
        self.refused('UnrecognizedClientException', self.other('nobody', 'stub-secret'))

    def test_other_region_in_the_scope(self):
        answer = self.refused('InvalidSignatureException', self.other('stub-key', 'stub-secret', 'eu-west-1'))
        self.assertIn('us-east-1/s3vectors', answer.json['message'])

    def test_skewed_clock_is_refused_with_the_servers_time(self):
        client = self.other('stub-key', 'stub-secret')
        for shift in (-400, 400):
            client.clock_shift = shift
            answer = self.refused('InvalidSignatureException', client)
            server = time.mktime(time.strptime(answer.headers['Date'], '%a, %d %b %Y %H:%M:%S GMT')) - time.timezone
            self.assertLess(abs(server - time.time()), 5)
        client.clock_shift = 200
        self.assertEqual(client.call('ListVectorBuckets').status, 200)

    def test_no_signature(self):
        self.refused('MissingAuthenticationTokenException', change=lambda headers: headers.pop('authorization'))

    def test_malformed_signature(self):
        self.refused('IncompleteSignatureException', change=lambda headers: headers.update(authorization='AWS4-HMAC-SHA256 x'))

    def test_header_changed_after_signing(self):
        self.refused('InvalidSignatureException', change=lambda headers: headers.update({'content-type': 'text/json'}))

    def test_claimed_payload_hash_must_be_true(self):
        self.refused('InvalidSignatureException', change=lambda headers: headers.update({'x-amz-content-sha256': '0' * 64}))

    def test_signed_payload_hash_must_be_true(self):
        headers = {'host': self.client.host, 'x-amz-date': time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()),
                   'content-type': 'application/json', 'x-amz-content-sha256': '0' * 64}
        made = authorization('POST', '/ListVectorBuckets', '', headers, b'{}', self.client.credential, 'us-east-1')
        self.refused('InvalidSignatureException', change=lambda sent: sent.update(headers, authorization=made))

    def test_unsigned_token_is_not_accepted(self):
        self.refused('UnrecognizedClientException', change=lambda headers: headers.update({'x-amz-security-token': 'x'}))

    def test_temporary_credentials(self):
        client = self.other('temporary', 'temporary-secret')
        self.refused('UnrecognizedClientException', client)
        client.token = 'the-token'
        self.assertEqual(client.call('ListVectorBuckets').status, 200)
        client.token = 'EXPIRED-TOKEN'
        self.refused('ExpiredTokenException', client)

    def test_path_of_tags_is_encoded_twice(self):
        path = '/tags/arn%3Aaws%3As3vectors%3Aus-east-1%3A123456789012%3Abucket%2Ftest-bucket'
        self.assertEqual(self.client.send('GET', path).status, 200)

    def test_checks_can_be_switched_off(self):
        self.set(check_signatures=False)
        answer = self.client.send('POST', '/ListVectorBuckets', b'{}', change=lambda headers: headers.pop('authorization'))
        self.assertEqual(answer.status, 200)

    def other(self, *credential):
        client = Client(self.port, *credential)
        self.addCleanup(client.close)
        return client
