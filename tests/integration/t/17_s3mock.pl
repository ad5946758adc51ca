# Adobe S3Mock as a server of S3 Vectors: somebody else's reading of the service. Skips where a JDK of 17, Maven, or what Maven fetches
# cannot be had.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

my $here = "$ENV{S3V_INTEGRATION_DIR}/../s3vectors_stub";
my $home = "$ENV{TESTDIR}/s3mock";
my ($out, $err);

IPC::Run::run([ "$here/s3mock", 'start', $home ], '<', \undef, '>', \$out, '2>', \$err);
my $status = $? >> 8;
plan(skip_all => $err =~ /(S3Mock: .*)/ ? $1 : 'S3Mock cannot be had here') if $status == 77;
die "S3Mock did not start: $err" if $status != 0;
END { my $kept = $?; IPC::Run::run([ "$here/s3mock", 'stop', $home ], '>', \my $ignored, '2>', \my $silent) if $home; $? = $kept; }
chomp(my $port = slurp_file("$home/port"));

my $db = 'postgres';
my $node = new_cluster('main');
my $writer = session($node, $db);

sub agrees { my ($what) = @_; is(differences($node, $db, 'docs_aws', 'docs', 8), '0', $what); return; }

$node->safe_psql($db, qq{
	CREATE SERVER aws FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://it-mock', region 'us-east-1', endpoint 'http://127.0.0.1:$port');
	CREATE USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (access_key_id 'any', secret_access_key 'any');});
make_table($node, $db, 'docs', rows => 90, dims => 8);
is($writer->query(q{SELECT s3v_create_index('docs_aws', 'docs', 'embedding', server => 'aws')})->{state}, '08001', 'no vector bucket');
$writer->must(q{SELECT s3v_create_index('docs_aws', 'docs', 'embedding', server => 'aws', metadata => '{category,price,published}',
	options => '{"create_bucket": true, "nonfilterable": ["published"]}')});
is($writer->must(q{SELECT string_agg(key, ',' ORDER BY distance, key::int) FROM s3v_query('docs_aws', test_vector(9, 8, 20), 20)}),
	$writer->must(q{SELECT string_agg(id::text, ',' ORDER BY d, id) FROM (SELECT id, test_cosine(embedding, test_vector(9, 8, 20)) d FROM docs ORDER BY d, id LIMIT 20) t}),
	'the nearest are those of the table');
is($writer->must(q{SELECT s3v_explain('docs_aws', test_vector(9, 8, 20), 20)->>'path'}), 'index', 'by the service');
my %filters = (
	'{"category": {"$ne": "c2"}}' => "category <> 'c2'",
	'{"price": {"$gte": 60}, "published": true}' => 'price >= 60 AND published',
	'{"$or": [{"category": "c1"}, {"price": {"$lt": 9}}]}' => "category = 'c1' OR price < 9",
	'{"category": {"$in": ["c1", "c9"]}}' => "category IN ('c1', 'c9')",
	'{"category": {"$startsWith": "c"}}' => "category LIKE 'c%'",
	'{"price": {"$exists": false}}' => 'price IS NULL');
$writer->must('SET enable_seqscan = off');
foreach my $filter (sort keys %filters)
{
	is($writer->must(qq{SELECT string_agg(key, ',' ORDER BY distance, key::int) FROM s3v_query('docs_aws', test_vector(9, 8, 20), 15, '$filter')}) // '',
		$writer->must(qq{SELECT string_agg(id::text, ',' ORDER BY d, id) FROM (SELECT id, test_cosine(embedding, test_vector(9, 8, 20)) d
			FROM docs WHERE $filters{$filter} ORDER BY d, id LIMIT 15) t}) // '', "filter $filter");
}
agrees('all rows');
$writer->must('UPDATE docs SET embedding = test_vector(id + 5, 8, 20) WHERE id % 3 = 0; DELETE FROM docs WHERE id > 80');
agrees('with changes');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
agrees('after a sync');
is($writer->must(q{SELECT pending, missing, orphaned, stale FROM s3v_check('docs')}), '0|0|0|0', 's3v_check');
$writer->must(q{SELECT * FROM s3v_sync('docs', 'reconcile')});
$writer->must(q{SELECT * FROM s3v_sync('docs', 'rebuild')});
agrees('after a rebuild');
is($writer->must(q{SELECT deleted > 0 FROM s3v_gc('aws', '0')}), 't', 's3v_gc');
agrees('and after it');
my $remote = $writer->must(q{SELECT manifest FROM s3v.version});
is($writer->must(qq{SELECT s3v_attach('again', 'aws', '$remote')}), 'again', 's3v_attach');
is($writer->must(q{SELECT count(*) FROM s3v_query('again', test_vector(9, 8, 20), 20, '{"category": "c1"}')}),
	$writer->must(q{SELECT least(20, count(*)) FROM docs WHERE category = 'c1'}), 'of an index as others see it');
$writer->must('DROP FOREIGN TABLE docs_aws; DROP FOREIGN TABLE again');
$writer->must(q{SELECT * FROM s3v_gc('aws', '0')});
is($writer->must(q{SELECT kept FROM s3v_gc('aws', '0')}), '0', 'nothing of ours is left');
done_testing();
