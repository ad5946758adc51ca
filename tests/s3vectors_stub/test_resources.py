"""Buckets, indexes, tags, modes, permissions and quotas."""
from urllib.parse import quote

from .stub_case import BUCKET, INDEX, StubCase

ARN = 'arn:aws:s3vectors:us-east-1:123456789012:bucket/'
KMS = 'arn:aws:kms:us-east-1:123456789012:key/'


class Buckets(StubCase):
    def test_create_and_get(self):
        answer = self.ok('GetVectorBucket', vectorBucketName=BUCKET)['vectorBucket']
        self.assertEqual(answer['vectorBucketArn'], ARN + BUCKET)
        self.assertEqual(answer['encryptionConfiguration'], {'sseType': 'AES256'})
        self.assertEqual(answer['defaultIndexMode'], 'ENHANCED')
        self.assertAlmostEqual(answer['creationTime'], self.service.now(), delta=60)
        self.assertEqual(self.ok('GetVectorBucket', vectorBucketArn=ARN + BUCKET)['vectorBucket'], answer)

    def test_names(self):
        for name in ('a_b', 'A-b', '-ab', 'ab-', 'a&b', 'a.b'):
            self.assertEqual(self.fails(400, 'ValidationException', 'CreateVectorBucket', vectorBucketName=name),
                             'Invalid vector bucket name')
        message = self.fails(400, 'ValidationException', 'CreateVectorBucket', vectorBucketName='ab')
        self.assertEqual(message, "1 validation error detected. Value with length 2 at '/vectorBucketName' failed to satisfy "
                                  'constraint: Member must have length between 3 and 63, inclusive')

    def test_conflict_and_missing(self):
        self.assertEqual(self.fails(409, 'ConflictException', 'CreateVectorBucket', vectorBucketName=BUCKET),
                         'A vector bucket with the specified name already exists')
        self.assertEqual(self.fails(404, 'NotFoundException', 'GetVectorBucket', vectorBucketName='absent'),
                         'The specified vector bucket could not be found')
        self.assertEqual(self.fails(409, 'ConflictException', 'DeleteVectorBucket', vectorBucketName=BUCKET),
                         'The specified vector bucket is not empty')
        self.ok('DeleteIndex', vectorBucketName=BUCKET, indexName=INDEX)
        self.ok('DeleteVectorBucket', vectorBucketArn=ARN + BUCKET)
        self.fails(404, 'NotFoundException', 'DeleteVectorBucket', vectorBucketName=BUCKET)

    def test_name_or_arn_but_not_both(self):
        for members in ({}, {'vectorBucketName': BUCKET, 'vectorBucketArn': ARN + BUCKET}):
            self.assertEqual(self.fails(400, 'ValidationException', 'GetVectorBucket', **members),
                             'Must specify either vectorBucketName or vectorBucketArn but not both')

    def test_pages_and_prefix(self):
        for n in range(7):
            self.ok('CreateVectorBucket', vectorBucketName=f'many-{n}')
        names, token = [], {}
        while True:
            answer = self.ok('ListVectorBuckets', prefix='many-', maxResults=3, **token)
            names.append([bucket['vectorBucketName'] for bucket in answer['vectorBuckets']])
            if 'nextToken' not in answer:
                break
            token = {'nextToken': answer['nextToken']}
        self.assertEqual(names, [['many-0', 'many-1', 'many-2'], ['many-3', 'many-4', 'many-5'], ['many-6']])
        self.fails(400, 'ValidationException', 'ListVectorBuckets', maxResults=501)
        self.fails(400, 'ValidationException', 'ListVectorBuckets', nextToken='abc')

    def test_policy(self):
        self.assertEqual(self.fails(404, 'NotFoundException', 'GetVectorBucketPolicy', vectorBucketName=BUCKET),
                         'The specified vector bucket policy could not be found')
        self.ok('PutVectorBucketPolicy', vectorBucketName=BUCKET, policy='{"a": 1}')
        self.assertEqual(self.ok('GetVectorBucketPolicy', vectorBucketName=BUCKET), {'policy': '{"a": 1}'})
        self.ok('DeleteVectorBucketPolicy', vectorBucketName=BUCKET)
        self.fails(404, 'NotFoundException', 'GetVectorBucketPolicy', vectorBucketName=BUCKET)

    def test_quotas(self):
        self.set(max_buckets=1, max_indexes=1, max_vectors=1)
        self.fails(402, 'ServiceQuotaExceededException', 'CreateVectorBucket', vectorBucketName='one-more')
        self.fails(402, 'ServiceQuotaExceededException', 'CreateIndex', vectorBucketName=BUCKET, indexName='one-more',
                   dimension=1, dataType='float32', distanceMetric='cosine')
        self.put({'a': [1, 1]})
        self.put({'a': [1, 2]})
        self.put_fails({'b': [1, 1]}, 402, 'ServiceQuotaExceededException')

    def test_creation_times(self):
        for form, shape in (('integer', r'"creationTime":\d{10}[,}]'), ('fraction', r'"creationTime":\d{10}\.\d+[,}]'),
                            ('exponent', r'"creationTime":1\.\d{12}E9[,}]')):
            self.set(creation_time=form)
            self.assertRegex(self.client.call('GetVectorBucket', vectorBucketName=BUCKET).body.decode(), shape)


class Indexes(StubCase):
    def create(self, name='other', **members):
        return {'vectorBucketName': BUCKET, 'indexName': name, 'dimension': 3, 'dataType': 'float32',
                'distanceMetric': 'cosine', **members}

    def test_get(self):
        answer = self.index_ok('GetIndex')['index']
        self.assertEqual({name: answer[name] for name in answer if name != 'creationTime'}, {
            'vectorBucketName': BUCKET, 'indexName': INDEX, 'indexArn': f'{ARN}{BUCKET}/index/{INDEX}', 'dataType': 'float32',
            'dimension': 2, 'distanceMetric': 'euclidean', 'metadataConfiguration': {'nonFilterableMetadataKeys': ['note']},
            'encryptionConfiguration': {'sseType': 'AES256'}, 'indexMode': 'ENHANCED'})
        self.assertEqual(self.ok('GetIndex', indexArn=answer['indexArn'])['index'], answer)

    def test_addressing(self):
        for members in ({}, {'vectorBucketName': BUCKET}, {'indexName': INDEX},
                        {'vectorBucketName': BUCKET, 'indexArn': f'{ARN}{BUCKET}/index/{INDEX}'}):
            self.assertEqual(self.fails(400, 'ValidationException', 'GetIndex', **members),
                             'Must specify either indexArn or both vectorBucketName and indexName')
        for bucket, index in (('absent', INDEX), (BUCKET, 'absent')):
            self.assertEqual(self.fails(404, 'NotFoundException', 'GetIndex', vectorBucketName=bucket, indexName=index),
                             'The specified index could not be found')

    def test_constraints(self):
        start = '1 validation error detected. Value at '
        dimension = start + "'/dimension' failed to satisfy constraint: Member must be between 1 and 4096, inclusive"
        for members, message in (
                ({'dimension': 0}, dimension), ({'dimension': 4097}, dimension),
                ({'distanceMetric': 'dot'}, start + "'/distanceMetric' failed to satisfy constraint: "
                                                    'Member must satisfy enum value set: [euclidean, cosine]'),
                ({'dataType': None}, start + "'/dataType' failed to satisfy constraint: Member must not be null"),
                ({'indexName': 'A.b'}, 'Invalid index name')):
            self.assertEqual(self.fails(400, 'ValidationException', 'CreateIndex', **self.create(**members)), message)
        keys = [f'k{n}' for n in range(11)]
        self.fails(400, 'ValidationException', 'CreateIndex',
                   **self.create(metadataConfiguration={'nonFilterableMetadataKeys': keys}))
        self.fails(400, 'SerializationException', 'CreateIndex', **self.create(dimension='3'))
        answer = self.client.call('CreateIndex', **self.create(dimension=0, distanceMetric='x'))
        self.assertIn('2 validation errors detected', answer.json['message'])
        self.assertEqual([field['path'] for field in answer.json['fieldList']], ['/dimension', '/distanceMetric'])

    def test_conflict_list_delete(self):
        self.ok('CreateIndex', **self.create())
        self.fails(409, 'ConflictException', 'CreateIndex', **self.create())
        answer = self.ok('ListIndexes', vectorBucketName=BUCKET, maxResults=1)
        self.assertEqual([index['indexName'] for index in answer['indexes']], ['other'])
        answer = self.ok('ListIndexes', vectorBucketName=BUCKET, maxResults=1, nextToken=answer['nextToken'])
        self.assertEqual([index['indexName'] for index in answer['indexes']], [INDEX])
        self.assertNotIn('nextToken', answer)
        self.ok('DeleteIndex', vectorBucketName=BUCKET, indexName='other')
        self.fails(404, 'NotFoundException', 'DeleteIndex', vectorBucketName=BUCKET, indexName='other')
        self.assertEqual(self.fails(404, 'NotFoundException', 'ListIndexes', vectorBucketName='absent'),
                         'The specified vector bucket could not be found')

    def test_modes(self):
        self.index_ok('UpdateIndexMode', indexMode='ENHANCED')
        self.index_fails(400, 'ValidationException', 'UpdateIndexMode', indexMode='CLASSIC')
        self.fails(400, 'ValidationException', 'PutVectorBucketDefaultIndexMode', vectorBucketName=BUCKET,
                   defaultIndexMode='CLASSIC')
        self.set(old_buckets=True)
        self.ok('CreateVectorBucket', vectorBucketName='old-bucket')
        there = {'vectorBucketName': 'old-bucket', 'indexName': 'other'}
        self.ok('CreateIndex', **self.create(vectorBucketName='old-bucket'))
        for mode in ('ENHANCED', 'CLASSIC'):
            self.ok('UpdateIndexMode', indexMode=mode, **there)
            self.assertEqual(self.ok('GetIndex', **there)['index']['indexMode'], mode)
        self.ok('PutVectorBucketDefaultIndexMode', vectorBucketName='old-bucket', defaultIndexMode='ENHANCED')
        self.ok('CreateIndex', **self.create('third', vectorBucketName='old-bucket'))
        self.assertEqual(self.ok('GetIndex', vectorBucketName='old-bucket', indexName='third')['index']['indexMode'], 'ENHANCED')

    def test_a_service_without_modes(self):
        self.set(index_modes=False)
        self.assertNotIn('indexMode', self.index_ok('GetIndex')['index'])
        self.index_fails(400, 'UnknownOperationException', 'UpdateIndexMode', indexMode='ENHANCED')

    def test_tags(self):
        arn = f'{ARN}{BUCKET}/index/{INDEX}'
        path = '/tags/' + quote(arn, safe='')
        self.assertEqual(self.client.send('POST', path, b'{"tags":{"a b":"1","c":"2","d":""}}').status, 200)
        self.assertEqual(self.client.send('GET', path).json, {'tags': {'a b': '1', 'c': '2', 'd': ''}})
        self.assertEqual(self.client.send('DELETE', path, query='tagKeys=a%20b&tagKeys=c').status, 200)
        self.assertEqual(self.client.send('GET', path).json, {'tags': {'d': ''}})
        self.assertEqual(self.client.send('GET', path + 'x').code, 'NotFoundException')
        self.assertEqual(self.client.send('DELETE', path).code, 'ValidationException')
        many = b'{"tags":{%b}}' % b','.join(b'"k%d":""' % n for n in range(51))
        self.assertEqual(self.client.send('POST', path, many).code, 'ValidationException')

    def test_encryption(self):
        for wrong in ({'sseType': 'aws:kms'}, {'sseType': 'AES256', 'kmsKeyArn': KMS + 'x'},
                      {'sseType': 'aws:kms', 'kmsKeyArn': 'alias/x'}):
            self.fails(400, 'ValidationException', 'CreateIndex', **self.create(encryptionConfiguration=wrong))
        for ending, code in (('disabled', 'KmsDisabledException'), ('invalid-usage', 'KmsInvalidKeyUsageException'),
                             ('invalid-state', 'KmsInvalidStateException'), ('not-found', 'KmsNotFoundException')):
            key = {'sseType': 'aws:kms', 'kmsKeyArn': KMS + ending}
            self.ok('CreateIndex', **self.create(ending, encryptionConfiguration=key))
            answer = self.ok('GetIndex', vectorBucketName=BUCKET, indexName=ending)
            self.assertEqual(answer['index']['encryptionConfiguration'], key)
            self.fails(400, code, 'GetVectors', vectorBucketName=BUCKET, indexName=ending, keys=['a'])

    def test_permissions(self):
        self.set(denied=['GetVectors', 'TagResource'])
        self.put({'a': [1, 1]})
        self.query([1, 1])
        vector = {'queryVector': {'float32': [1, 1]}, 'topK': 1}
        for operation, members in (('QueryVectors', {**vector, 'returnMetadata': True}), ('GetVectors', {'keys': ['a']}),
                                   ('QueryVectors', {**vector, 'filter': {'a': 1}}), ('ListVectors', {'returnData': True})):
            self.assertIn('s3vectors:GetVectors', self.index_fails(403, 'AccessDeniedException', operation, **members))
        self.index_ok('ListVectors')
        self.fails(403, 'AccessDeniedException', 'CreateIndex', **self.create(tags={'a': 'b'}))

    def test_text_search(self):
        self.index_ok('UpdateMetadataConfiguration', add={'textSearchConfigurations': [{'metadataKey': 'note'}]})
        self.index_fails(409, 'ConflictException', 'UpdateMetadataConfiguration',
                         add={'textSearchConfigurations': [{'metadataKey': 'note'}]})
        self.put({'a': ([1, 1], {'note': 'a red fox'}), 'b': ([2, 2], {'note': 'a blue whale'}), 'c': [0, 0]})
        answer = self.index_ok('QueryVectors', topK=3, queryTexts=[{'text': 'Whale', 'metadataKey': 'note'}], returnScores=True)
        self.assertEqual([hit['key'] for hit in answer['vectors']], ['b'])
        self.assertEqual(answer['vectors'][0]['scores']['bm25Scores'][0]['metadataKey'], 'note')
        both = self.query([0, 0], 3, queryTexts=[{'text': 'whale', 'metadataKey': 'note'}])
        self.assertEqual([hit['key'] for hit in both['vectors']], ['b', 'c', 'a'])
        self.index_fails(400, 'ValidationException', 'UpdateMetadataConfiguration')
        self.index_ok('UpdateMetadataConfiguration', delete={'textSearchConfigurations': [{'metadataKey': 'note'}]})
        self.index_fails(400, 'ValidationException', 'QueryVectors', topK=3, queryTexts=[{'text': 'x', 'metadataKey': 'note'}])
