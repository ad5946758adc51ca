# Indexes that Amazon S3 Vectors keeps, against the stub of the service: made, queried exactly with the snapshot, synced, repaired, dropped.
use strict;
use warnings;

use JSON::PP ();
use PostgreSQL::Test::Cluster;
use S3vTest;
use S3vTest::Service;
use Test::More;

my $db = 'postgres';
my $service = S3vTest::Service->new;
my $node = new_cluster('main');
my $writer = session($node, $db);
my $reader = session($node, $db);

sub generations { return grep { /-[0-9a-f]{8}$/ } $service->indexes; }
sub agrees { my ($what) = @_; is(differences($node, $db, 'docs_aws', 'docs', 32), '0', $what); return; }

$node->safe_psql($db, $service->server_sql('aws'));
make_table($node, $db, 'docs', rows => 2000);

# ---- creation --------------------------------------------------------------------------------------------------------------

my $create = q{SELECT s3v_create_index('docs_aws', 'docs', 'embedding', server => 'aws', metadata => '{category,price,published}'};
my $answer = $writer->query("$create)");
is($answer->{state}, '08001', 'a vector bucket that is not there');
like($answer->{err}, qr/create_bucket/, 'whose hint tells how to have it made');
is($writer->query(q{SELECT s3v_create_index('docs_ip', 'docs', 'embedding', server => 'aws', metric => 'ip')})->{state}, '0A000',
	'no inner product');
is($writer->query("$create, options => '{\"bits\": 4}')")->{state}, '22023', 'no option of other servers');
is($writer->query(q{SELECT s3v_create_index('docs_l', 'docs', 'embedding', options => '{"index_mode": "classic"}')})->{state}, '22023',
	'nor of this one elsewhere');
$service->heard;
$writer->must("$create, options => '{\"create_bucket\": true}')");
my @sent = $service->heard;
is(scalar(grep { $_->{operation} eq 'CreateVectorBucket' } @sent), 1, 'the vector bucket is made when asked for');
is(scalar(grep { $_->{operation} eq 'PutVectors' } @sent), 4, '2,000 rows are put in batches of 500');
is(scalar(generations()), 1, 'one remote index');
is(scalar($service->keys_of(generations())), 2000, 'with all rows');
is($writer->must(q{SELECT version, rows, skipped, pending, state FROM s3v_indexes WHERE index = 'docs_aws'::regclass}),
	'1|2000|0|0|ready', 's3v_indexes');
agrees('every hit agrees with the table');

# ---- queries ---------------------------------------------------------------------------------------------------------------

my $explain = $reader->must(q{SELECT s3v_explain('docs_aws', test_vector(5, 32, 20))});
is(explained($explain, 'path'), 'index', 's3v_explain: path');
is(explained($explain, 'requests'), '1', 's3v_explain: one request');
is(explained($explain, 'exact'), 'true', 's3v_explain: exact');
my %filters = (
	'{"category": {"$ne": "c2"}}' => "category <> 'c2'",
	'{"price": {"$gte": 100}, "published": true}' => 'price >= 100 AND published',
	'{"$or": [{"category": "c1"}, {"price": {"$lt": 3}}]}' => "category = 'c1' OR price < 3",
	'{"category": {"$gt": "c4"}}' => q{category COLLATE "C" > 'c4'},
	'{"category": {"$in": ["c1", "c9"]}, "price": {"$gt": 1.5, "$lt": 90}}' => "category IN ('c1', 'c9') AND price > 1.5 AND price < 90",
	'{"price": {"$exists": false}}' => 'price IS NULL');
foreach my $filter (sort keys %filters)
{
	is($reader->must(qq{SELECT string_agg(key, ',' ORDER BY distance, key::int) FROM s3v_query('docs_aws', test_vector(9, 32, 20), 25, '$filter')}),
		$reader->must(qq{SELECT string_agg(id::text, ',' ORDER BY d, id) FROM (SELECT id, test_cosine(embedding, test_vector(9, 32, 20)) d
			FROM docs WHERE $filters{$filter} ORDER BY d, id LIMIT 25) t}), "filter $filter");
}
is($reader->must(q{SELECT count(*) FROM s3v_query('docs_aws', test_vector(5, 32, 20), 1500)}), '1500', 'many hits come page by page');
is($reader->must(q{SELECT count(*), count(DISTINCT query) FROM s3v_query_many('docs_aws', ARRAY[test_vector(1, 32, 20), test_vector(2, 32, 20)], 7)}),
	'14|2', 'many queries');
is($reader->must(q{SELECT pg_typeof(key), key FROM s3v_query_as('docs_aws', NULL::int, test_vector(77, 32, 20), 1)}), 'integer|77', 'typed keys');
is($reader->must(q{SELECT string_agg(key, ',') FROM s3v_query('docs_aws', test_vector(5, 32, 20), 3, keys => ARRAY(SELECT id::text FROM docs WHERE id % 2 = 0 AND id < 10))}),
	$reader->must(q{SELECT string_agg(id::text, ',') FROM (SELECT id FROM docs WHERE id % 2 = 0 AND id < 10 ORDER BY test_cosine(embedding, test_vector(5, 32, 20)) LIMIT 3) t}),
	'few keys');
is($reader->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(5, 32, 20), options => '{"as_of_version": 1}')})->{state}, '0A000', 'no versions');
is($reader->must(q{SELECT (s3v_recall('docs_aws', 20) ->> 'recall')::float8 >= 0.99}), 't', 's3v_recall');

# ---- changes ---------------------------------------------------------------------------------------------------------------

$writer->must(q{INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(5001, 5060) i});
$writer->must('DELETE FROM docs WHERE id % 10 = 3');
$writer->must('UPDATE docs SET embedding = test_vector(id + 5, 32, 20) WHERE id % 10 = 4');
agrees('pending rows');
is(explained($reader->must(q{SELECT s3v_explain('docs_aws', test_vector(5, 32, 20))}), 'path'), 'mixed', 'of which s3v_explain tells');
$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $probe = q{SELECT string_agg(key || ':' || distance, ' ' ORDER BY distance, key) FROM s3v_query('docs_aws', test_vector(14, 32, 20), 400)};
my $before = $reader->must($probe);
$service->heard;
is($writer->must(q{SELECT version, upserted, deleted FROM s3v_sync('docs')}), '2|254|206', 'a sync');
@sent = $service->heard;
is(scalar(grep { $_->{operation} =~ /^(Put|Delete)Vectors$/ } @sent), 2, 'of two requests');
$writer->must('DELETE FROM docs WHERE id % 10 = 5');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
$writer->must('UPDATE docs SET embedding = test_vector(id + 9, 32, 20) WHERE id % 10 = 6');
is($reader->must($probe), $before, 'an old snapshot has the rows of then, whatever the service has by now');
is($reader->must(q{SELECT test_differences('docs_aws', 'docs', test_vector(77, 32, 20))}), '0', 'all of them');
$reader->must('COMMIT');
agrees('and the next one those of now');
is($writer->must(q{SELECT rows FROM s3v_indexes WHERE index = 'docs_aws'::regclass}), '1648', 'rows are counted on');

# Consumed rows go once nobody can need them.
my $log = $writer->must(q{SELECT log FROM s3v.index WHERE index_id = 'docs_aws'::regclass});
isnt($writer->must("SELECT count(*) FROM $log WHERE synced IS NOT NULL"), '0', 'consumed log rows stay, stamped');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
$writer->must('UPDATE docs SET price = 2 WHERE id = 1');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
is($writer->must("SELECT count(*) FROM $log"), '1', 'until no snapshot is older than their sync');
is($writer->must(q{SELECT version, upserted, requests FROM s3v_sync('docs')}), '5|0|0', 'nothing to do sends nothing');

# ---- transactions ----------------------------------------------------------------------------------------------------------

$writer->must('BEGIN');
$writer->must('UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id = 20');
is($writer->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '25001', 'a sync refuses changes of its own transaction');
$writer->must('ROLLBACK');

$writer->must('UPDATE docs SET embedding = test_vector(id + 3, 32, 20) WHERE id % 10 = 8');
$writer->must('DELETE FROM docs WHERE id % 100 = 51');
my $count = $writer->must(q{SELECT pending FROM s3v_indexes WHERE index = 'docs_aws'::regclass});
$writer->must('BEGIN');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
is($reader->must(q{SELECT test_differences('docs_aws', 'docs', test_vector(77, 32, 20))}), '0', 'while a sync is not committed');
is($writer->must(q{SELECT test_differences('docs_aws', 'docs', test_vector(77, 32, 20))}), '0', 'in its own transaction');
$writer->must('ROLLBACK');
agrees('after it was rolled back');
is($writer->must(q{SELECT pending FROM s3v_indexes WHERE index = 'docs_aws'::regclass}), $count, 'its changes are pending again');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
agrees('and after the next one');

is($writer->must(q{SELECT upserted FROM s3v_sync('docs', options => '{"max_rows": 5}')}), '0', 'limits: nothing to do');
$writer->must('UPDATE docs SET price = price + 1 WHERE id <= 40');
is($writer->must(q{SELECT upserted FROM s3v_sync('docs', options => '{"max_rows": 5}')}), '5', 'limits: five rows of one transaction');
is($writer->must(q{SELECT upserted FROM s3v_sync('docs', options => '{"max_rows": 5}')}), '5', 'limits: and five more');
agrees('between limited syncs');
$writer->must(q{SELECT * FROM s3v_sync('docs')});

# ---- TRUNCATE, rebuild, gc ---------------------------------------------------------------------------------------------------

my ($first) = generations();
$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
$before = $reader->must($probe);
$writer->must(q{SELECT * FROM s3v_sync('docs', 'rebuild')});
is(scalar(generations()), 2, 'a rebuild fills another remote index');
$writer->must('DELETE FROM docs WHERE id % 7 = 2');
is($reader->must($probe), $before, 'an old snapshot reads the one it knows');
$writer->must(q{SELECT * FROM s3v_gc('aws', '0')});
is(scalar(generations()), 2, 'which s3v_gc keeps for it');
is(scalar(my @all = $service->indexes), 4, 'with the newest owner markers');
$reader->must('COMMIT');
is($writer->must(q{SELECT deleted > 0 FROM s3v_gc('aws', '0')}), 't', 'and no longer');
is(scalar(grep { $_ eq $first } generations()), 0, 'it is gone');
agrees('the rebuilt index');
$writer->must('TRUNCATE docs; INSERT INTO docs SELECT i, \'t\', i, true, test_vector(i, 32, 20) FROM generate_series(1, 300) i');
agrees('after a TRUNCATE');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
agrees('and its sync');
is(explained($reader->must(q{SELECT s3v_explain('docs_aws', test_vector(5, 32, 20))}), 'path'), 'index', 'by the index');

# ---- drift -------------------------------------------------------------------------------------------------------------------

my ($remote) = $writer->must(q{SELECT manifest FROM s3v.version WHERE index_id = 'docs_aws'::regclass});
my %where = (vectorBucketName => 'it-vectors', indexName => $remote);
is($writer->must(q{SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('docs')}), '0|0|0|0|0', 's3v_check');
$service->do('DeleteVectors', %where, keys => [ '1', '2' ]);
$service->do('PutVectors', %where, vectors => [ { key => '3', data => { float32 => [ (0.5) x 32 ] }, metadata => { category => 'x' } },
	{ key => '9999', data => { float32 => [ (0.5) x 32 ] } }, { key => 'not a key', data => { float32 => [ (0.5) x 32 ] } } ]);
is($writer->must(q{SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('docs')}), '0|2|2|1|0', 'finds what others did');
is($reader->must(q{SELECT count(*) FROM s3v_query('docs_aws', array_fill(0.5::real, ARRAY[32]), 300) WHERE key NOT IN (SELECT id::text FROM docs)}), '0',
	'which no query shows');
$writer->must(q{SELECT * FROM s3v_sync('docs', 'reconcile')});
is($writer->must(q{SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('docs')}), '0|0|0|0|0', 'and a reconcile repairs');
agrees('afterwards');

$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->must('SELECT 1 FROM docs');
$writer->must('ALTER TABLE docs DISABLE TRIGGER s3v_capture; UPDATE docs SET embedding = test_vector(id + 4, 32, 20) WHERE id < 30;
	ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture');
$writer->must(q{SELECT * FROM s3v_sync('docs', 'reconcile')});
is($reader->must(q{SELECT test_differences('docs_aws', 'docs', test_vector(77, 32, 20))}), '0', 'a snapshot older than a repair scans the source');
is($reader->must(q{SELECT key FROM s3v_query('docs_aws', test_vector(5, 32, 20), 1)}), '5', 'and finds what the repair moved away from there');
$reader->must('COMMIT');
is(explained($reader->must(q{SELECT s3v_explain('docs_aws', test_vector(5, 32, 20))}), 'path'), 'index', 'a younger one asks the service');
agrees('and is right');

# ---- rows that the service would not take --------------------------------------------------------------------------------------

$answer = $writer->query(q{INSERT INTO docs VALUES (7777, repeat('x', 2100), 1, true, test_vector(1, 32, 20))});
is($answer->{state}, '22023', 'metadata of more than 2 KB is refused at INSERT');
like($answer->{err}, qr/row with key "7777" of table "docs" does not fit index "docs_aws"/, 'which names the key');
is($writer->query(q{UPDATE docs SET category = repeat('x', 2100) WHERE id = 5})->{state}, '22023', 'and at UPDATE');
$writer->must(q{ALTER FOREIGN TABLE docs_aws OPTIONS (ADD nonfilterable '{category}')});
is($writer->query(q{UPDATE docs SET category = repeat('x', 2100) WHERE id = 5})->{state}, '22023', 'an option acts at the next rebuild');
$writer->must(q{SELECT * FROM s3v_sync('docs', 'rebuild')});
$writer->must(q{UPDATE docs SET category = repeat('x', 2100) WHERE id = 5});
is($writer->query(q{UPDATE docs SET category = repeat('x', 41000) WHERE id = 5})->{state}, '22023', 'not more than 40 KB in all');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
is($reader->must(q{SELECT string_agg(key, ',') FROM s3v_query('docs_aws', test_vector(5, 32, 20), 3, '{"category": {"$startsWith": "xx"}}')}), '5',
	'filters by such columns are answered all the same');

# ---- rights, renames, the end ----------------------------------------------------------------------------------------------------

$writer->must('ALTER TABLE docs RENAME COLUMN price TO cost; ALTER TABLE docs RENAME COLUMN embedding TO vec; ALTER FOREIGN TABLE docs_aws RENAME TO docs_ix');
$writer->must('UPDATE docs SET cost = 5 WHERE id = 7');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
is($reader->must(q{SELECT string_agg(key, ',') FROM s3v_query('docs_ix', test_vector(7, 32, 20), 3, '{"cost": {"$lte": 5, "$gt": 4}}')}),
	$reader->must(q{SELECT string_agg(id::text, ',') FROM (SELECT id FROM docs WHERE cost <= 5 AND cost > 4 ORDER BY test_cosine(vec, test_vector(7, 32, 20)) LIMIT 3) t}),
	'columns can be renamed');
$writer->must('DROP FOREIGN TABLE docs_ix');
ok(scalar(generations()) > 0, 'DROP leaves the remote indexes');
$writer->must(q{SELECT * FROM s3v_gc('aws', '0')});
is(join(',', $service->indexes), '', 's3v_gc deletes them, markers included');

# ---- indexes of others -------------------------------------------------------------------------------------------------------------

$service->do('CreateIndex', vectorBucketName => 'it-vectors', indexName => 'films', dataType => 'float32', dimension => 3, distanceMetric => 'euclidean');
$service->do('PutVectors', vectorBucketName => 'it-vectors', indexName => 'films', vectors => [
	{ key => 'a', data => { float32 => [ 0, 0, 0 ] }, metadata => { genre => 'drama', year => 2020 } },
	{ key => 'b', data => { float32 => [ 0, 0, 2 ] }, metadata => { genre => 'comedy' } },
	{ key => 'c', data => { float32 => [ 0, 3, 0 ] } } ]);
is($writer->must(q{SELECT s3v_attach('films', 'aws', 'films')}), 'films', 's3v_attach');
is($reader->must(q{SELECT string_agg(key || ' ' || distance || ' ' || metadata, ', ') FROM s3v_query('films', '[0,0,0]')}),
	'a 0 {"year": 2020, "genre": "drama"}, b 2 {"genre": "comedy"}, c 3 {}', 'hits of others');
is($reader->must(q{SELECT string_agg(key, ',') FROM s3v_query('films', '[0,0,0]', 5, '{"genre": {"$ne": "drama"}}')}), 'b', 'with a filter');
is($reader->must(q{SELECT string_agg(key, ',') FROM s3v_query('films', '[0,0,0]', 1, keys => '{b,c}')}), 'b', 'with keys');
is($reader->must(q{SELECT server, metric, dimensions, state FROM s3v_indexes}), 'aws|l2|3|attached', 's3v_indexes');
is($writer->query("SELECT $_('films')")->{state}, '42809', "$_: it belongs to others") foreach qw(s3v_adopt s3v_fork);
is(explained($reader->must(q{SELECT s3v_explain('films', '[0,0,0]')}), 'exact'), 'false', 's3v_explain promises nothing');
foreach my $sql (q{s3v_check('films')}, q{s3v_recall('films')}, q{s3v_warm('films')}, q{s3v_query('films', '[0,0]')}, q{s3v_query('films', '[0,0,0]', 5, '{"genre": {"$foo": 1}}')})
{
	like($reader->query("SELECT * FROM $sql")->{state}, qr/^(0A000|22023|42704)$/, "$sql is refused");
}
# The worked examples of filters (reference of the service, section 3.4).
$service->do('CreateIndex', vectorBucketName => 'it-vectors', indexName => 'examples', dataType => 'float32', dimension => 2, distanceMetric => 'cosine',
	metadataConfiguration => { nonFilterableMetadataKeys => ['body'] });
my $true = JSON::PP::true;
my @examples = ({ genre => 'drama', year => 2020, tags => [ 'a', 'b' ], ok => $true, p => '/m/x' }, { genre => 'comedy', year => 2019.5 },
	{ genre => [ 'drama', 'comedy' ], year => '2020' }, undef);
$service->do('PutVectors', vectorBucketName => 'it-vectors', indexName => 'examples', vectors => [ map {
	{ key => 'v' . ($_ + 1), data => { float32 => [ 1, $_ ] }, $examples[$_] ? (metadata => $examples[$_]) : () } } 0 .. 3 ]);
$writer->must(q{SELECT s3v_attach('examples', 'aws', 'examples')});
my $many = join(',', 1 .. 101);
my @cases = (
	[ '{"genre":"drama"}', 'v1,v3' ], [ '{"genre":{"$eq":"comedy"}}', 'v2,v3' ], [ '{"tags":"a"}', 'v1' ], [ '{"genre":{"$in":["drama","x"]}}', 'v1,v3' ],
	[ '{"genre":{"$nin":["drama"]}}', 'v2' ], [ '{"genre":{"$ne":"drama"}}', 'v2' ],
	[ '{"$and":[{"genre":{"$exists":true}},{"genre":{"$ne":"drama"}}]}', 'v2' ], [ '{"year":{"$gte":2019.5}}', 'v1,v2' ],
	[ '{"year":{"$gt":2019,"$lt":2020}}', 'v2' ], [ '{"year":2020}', 'v1' ], [ '{"ok":true}', 'v1' ], [ '{"tags":{"$exists":true}}', 'v1' ],
	[ '{"tags":{"$exists":false}}', 'v2,v3,v4' ], [ '{"$and":[{"genre":"drama"},{"year":{"$gte":2020}}]}', 'v1' ],
	[ '{"$or":[{"ok":true},{"$and":[{"genre":"comedy"},{"year":{"$lt":2020}}]}]}', 'v1,v2' ], [ '{"p":{"$startsWith":"/m/"}}', 'v1' ],
	[ '{"genre":{"$in":[]}}', '22023' ], [ '{"$and":[]}', '22023' ], [ '{"genre":{"$regex":"d"}}', '22023' ], [ '{"$not":{"ok":true}}', '22023' ],
	[ '{"year":{"$gt":"2019"}}', '22023' ], [ '{"genre":null}', '22023' ], [ '{"genre":{"$eq":["drama"]}}', '22023' ], [ '{"body":"x"}', '22023' ],
	[ "{\"year\":{\"\$in\":[$many]}}", '22023' ], [ '{"genre":"drama","year":2020}', 'v1' ], [ '{}', '22023' ]);
foreach my $case (@cases)
{
	my $got = $reader->query(qq{SELECT string_agg(key, ',' ORDER BY key) FROM s3v_query('examples', '[1,0.1]', 10, '$case->[0]')});
	is($got->{state} || $got->{out}, $case->[1], substr("example $case->[0]", 0, 100));
}
$writer->must('DROP FOREIGN TABLE examples');
is($writer->query(q{SELECT s3v_attach('gone', 'aws', 'nothing-there')})->{state}, '58P01', 'nothing to attach to');
$writer->must('DROP FOREIGN TABLE films');
$writer->must(q{SELECT * FROM s3v_gc('aws', '0')});
is(join(',', $service->indexes), 'examples,films', 'what others made is never deleted');

is(log_of($node) =~ /TRAP|PANIC|terminated by signal/ ? 'crash' : '', '', 'no crash');
done_testing();
