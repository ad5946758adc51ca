# Amazon S3 Vectors when things go wrong: refusals of every kind, lost answers, killed syncs, a standby, a restored copy. Nothing may be
# lost, nothing silently wrong, and the error says what to do.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Service;
use Test::More;

my $db = 'postgres';
my $service = S3vTest::Service->new;
my $node = new_cluster('main', allows_streaming => 1, conf => "s3v.request_timeout = 8000\nrestart_after_crash = on\nhot_standby_feedback = on");
my $writer = session($node, $db);

sub agrees { my ($what) = @_; is(differences($node, $db, 'docs_aws', 'docs', 32), '0', $what); return; }

my $shift = 0;

# Others each time: some 490 rows put, up to 30 deleted.
sub change_rows
{
	$shift += 7;
	$writer->must("UPDATE docs SET embedding = test_vector(id + $shift, 32, 20) WHERE id % 3 = 0");
	$writer->must('DELETE FROM docs WHERE id % 50 = ' . int(rand(50)));
	return;
}

srand(3);
$node->safe_psql($db, $service->server_sql('aws'));
make_table($node, $db, 'docs', rows => 1500);
$writer->must(q{SELECT s3v_create_index('docs_aws', 'docs', 'embedding', server => 'aws', metadata => '{category}', options => '{"create_bucket": true}')});
agrees('at first');

# ---- what passes, and what is tried again --------------------------------------------------------------------------------------

foreach my $fault ('op=PutVectors,times=2,fault=429', 'op=PutVectors,min_vectors=200,fault=503', 'op=PutVectors,times=1,when=after,fault=500',
	'op=PutVectors|DeleteVectors,every=2,when=after,fault=reset', 'op=PutVectors,times=1,fault=close', 'op=PutVectors,times=1,fault=408',
	'op=PutVectors,times=1,when=after,fault=cut,at=1', 'op=CreateIndex,times=1,when=after,fault=reset', 'op=DeleteVectors,times=1,fault=502',
	'op=PutVectors,times=1,fault=503,place=empty', 'op=PutVectors,times=1,fault=429,retry_after=300')
{
	change_rows();
	$service->faults($fault);
	my $answer = $writer->query(q{SELECT * FROM s3v_sync('docs')});
	is($answer->{state}, '', "a sync comes through: $fault") or diag($answer->{err});
	my $acted = $service->control('GET', '/faults');
	$service->faults();
	agrees("and all is there: $fault");
}
$service->faults('op=QueryVectors,times=2,fault=503');
agrees('queries try again');
$service->faults('op=QueryVectors,times=1,when=after,fault=cut,at=40');
agrees('also after half an answer');
$service->faults();

# ---- what does not pass: the sync fails with a reason, and is made up for -----------------------------------------------------------

my %refusals = (
	'op=PutVectors,fault=402' => [ '54000', qr/quota/i ],
	'op=PutVectors,fault=403' => [ '42501', qr/s3vectors:PutVectors/ ],
	'op=PutVectors,fault=400,code=KmsDisabledException' => [ '22023', qr/KmsDisabledException/ ],
	'op=PutVectors,fault=500' => [ '08006', qr/status 500/ ],
	'op=PutVectors,nth=1,times=99,when=after,fault=reset' => [ '08006', qr/PutVectors/ ],
	'op=PutVectors,fault=503' => [ '08006', qr/took none of/ ]);
foreach my $fault (sort keys %refusals)
{
	my ($state, $says) = @{ $refusals{$fault} };

	change_rows();
	$service->faults($fault);
	my $answer = $writer->query(q{SELECT * FROM s3v_sync('docs')});
	is($answer->{state}, $state, "a sync fails: $fault") or diag($answer->{err});
	like($answer->{err}, $says, "and says why: $fault");
	unlike($answer->{err}, qr/stub-secret/, 'without a secret');
	$service->faults();
	agrees("queries are right meanwhile: $fault");
}
$writer->must(q{SELECT * FROM s3v_sync('docs')});
agrees('and after the next sync');
$service->faults('op=QueryVectors,fault=500');
is($writer->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20))})->{state}, '08006', 'a service that does not answer is an error');
$service->faults();
foreach my $place (qw(header header-colon header-hash code type type-hash both none empty html))
{
	$service->switch(error_place => $place);
	$service->faults('op=QueryVectors,fault=403');
	my $answer = $writer->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20))});
	is($answer->{state}, '42501', "an error whose code stands in: $place");
	$service->faults();
}
$service->control('DELETE', '/switches');
$node->safe_psql($db, q{ALTER USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (ADD session_token 'EXPIRED-TOKEN')});
my $expired = $writer->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20))});
is($expired->{state}, '42501', 'an expired token');
like($expired->{err}, qr/user mapping/, 'whose hint names the user mapping');
$node->safe_psql($db, q{ALTER USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (DROP session_token)});
$node->safe_psql($db, q{ALTER USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (SET secret_access_key 'wrong')});
is($writer->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20))})->{state}, '42501', 'a wrong secret');
$node->safe_psql($db, q{ALTER USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (SET secret_access_key 'stub-secret')});
$service->switch(clock_shift_s => 3600);
agrees('a clock that is wrong by an hour is allowed for');
$service->switch(clock_shift_s => 0, query_page => 7, query_token_s => 0.0001);
is($writer->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20), 50)})->{state}, '22023', 'tokens that are always expired');
$service->switch(query_token_s => 300, query_pages => 'live', list_page => 13, list_empty_pages => 3, last_token => 'empty', extra_members => JSON::PP::true,
	chunked => JSON::PP::true, number_form => 'double', absent_metadata => 'absent', creation_time => 'exponent');
agrees('short pages, empty pages, empty tokens, members that nobody knows');
is($writer->must(q{SELECT missing, orphaned, stale FROM s3v_check('docs')}), '0|0|0', 's3v_check through such pages');
$service->control('DELETE', '/switches');

# A CLASSIC index tests filters on what it has found, so that fewer come than match.
my $old = S3vTest::Service->new('--set', 'old_buckets=true', '--set', 'classic_candidates=1');
$node->safe_psql($db, $old->server_sql('old'));
$writer->must(q{SELECT s3v_create_index('docs_old', 'docs', 'embedding', server => 'old', metadata => '{category}', options => '{"create_bucket": true}')});
$writer->must(q{CREATE FUNCTION found(filter jsonb) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(key, ',' ORDER BY distance, key::int)
	FROM s3v_query('docs_old', test_vector(4, 32, 20), 30, filter) $$});
my $truth = $writer->must(q{SELECT string_agg(id::text, ',' ORDER BY d, id) FROM (SELECT id, test_cosine(embedding, test_vector(4, 32, 20)) d FROM docs
	WHERE category IN ('c1', 'c5') ORDER BY d, id LIMIT 30) t});
my $filter = q{SELECT found('{"category": {"$in": ["c1", "c5"]}}')};
$old->heard;
is($writer->must($filter), $truth, 'filters do not thin out the hits of a CLASSIC index');
is(($old->heard('QueryVectors'))[0]->{queryMode}, 'ENHANCED', 'for they are asked for otherwise');
$old->switch(index_modes => JSON::PP::false);
is($writer->must($filter), $truth, 'nor those of a server that knows no modes');
$old->switch(query_paging => JSON::PP::false);
is($writer->must(q{SELECT count(*) FROM s3v_query('docs_old', test_vector(4, 32, 20), 300)}), '300', 'a server that takes no more than 100 at once');
$writer->must('DROP FUNCTION found; DROP FOREIGN TABLE docs_old');

# ---- cancel and kill ------------------------------------------------------------------------------------------------------------------

$service->faults('op=QueryVectors,fault=stall');
my $reader = session($node, $db);
$reader->must('SET statement_timeout = 300');
my $answer = $reader->query(q{SELECT * FROM s3v_query('docs_aws', test_vector(1, 32, 20))});
is($answer->{state}, '57014', 'a stalled query can be cancelled');
cmp_ok($answer->{ms}, '<', 1500, 'at once');
$service->faults();

make_table($node, $db, 'big', rows => 6000);
$writer->must(q{SELECT s3v_create_index('big_aws', 'big', 'embedding', server => 'aws', options => '{"build": false}')});
$service->heard;
$service->faults('op=PutVectors,nth=9,fault=stall');
$writer->send(q{SELECT * FROM s3v_sync('big')});
wait_until('vectors were put', sub { grep({ $_->{operation} eq 'PutVectors' && $_->{status} == 200 } @{ $service->control('GET', '/log') }) >= 8 });
kill 'KILL', $writer->pid;
$writer->result;
$service->faults();
$service->heard;
wait_until('the server is back', sub { $node->psql($db, 'SELECT 1') == 0 });
$writer = session($node, $db);
is($writer->must(q{SELECT explain->>'path' FROM s3v_explain('big_aws', test_vector(1, 32, 20)) explain}), 'source', 'a killed first sync: the table answers');
$writer->must(q{SELECT * FROM s3v_sync('big')});
my $again = 0;
$again += $_->{vectors} foreach grep { $_->{operation} eq 'PutVectors' } $service->heard('PutVectors');
cmp_ok($again, '<', 4000, "the next one goes on where it was: $again of 6,000 vectors put");
is(differences($node, $db, 'big_aws', 'big', 32), '0', 'and is complete');
is($writer->must(q{SELECT missing, orphaned, stale FROM s3v_check('big')}), '0|0|0', 'with nothing else in it');

# ---- a standby, and a copy ----------------------------------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
change_rows();
$writer->must(q{SELECT * FROM s3v_sync('docs')});
change_rows();
$node->wait_for_catchup($standby, 'replay');
is(differences($standby, $db, 'docs_aws', 'docs', 32), '0', 'a standby that has caught up agrees');
is($standby->safe_psql($db, q{SELECT s3v_explain('docs_aws', test_vector(1, 32, 20))->>'exact'}), 'false', 'and promises nothing');
$standby->stop;

my $dump = "$ENV{TESTDIR}/dump.sql";
$node->command_ok([ 'pg_dump', '-d', $node->connstr($db), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
my $copied = $node->psql('copy', "\\i $dump", on_error_stop => 0);
$writer->must('UPDATE docs SET embedding = test_vector(id + 20, 32, 20) WHERE id % 2 = 0');
$writer->must(q{SELECT * FROM s3v_sync('docs')});
my $copy = session($node, 'copy');
$copy->must(q{DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER aws});
$copy->must(q{CREATE USER MAPPING FOR CURRENT_USER SERVER aws OPTIONS (access_key_id 'stub-key', secret_access_key 'stub-secret')});
$copy->must('DELETE FROM docs WHERE id < 20');
is($copy->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '55000', 'a restored copy does not write into the original\'s index');
agrees('which stays what it is');
my $shown = $copy->query(q{SELECT test_differences('docs_aws', 'docs', test_vector(77, 32, 20))});
is($shown->{out}, '0', 'the copy is right about its own rows');
like($shown->{err}, qr/synced by another database: its source is scanned instead/, 'for it scans them, and says so');
$copy->must(q{SELECT s3v_adopt('docs_aws')});
$copy->must(q{SELECT * FROM s3v_sync('docs', 'rebuild')});
is(differences($node, 'copy', 'docs_aws', 'docs', 32), '0', 'until it takes the index over');
is($writer->query(q{UPDATE docs SET embedding = test_vector(id + 33, 32, 20) WHERE id = (SELECT max(id) FROM docs); SELECT * FROM s3v_sync('docs')})->{state}, '55000', 'and the original stops');

# A remote index of its own for the copy: there is nothing to copy, so it is built from the table. Both go on.
$writer->must(q{SELECT s3v_adopt('docs_aws')});
$writer->must(q{SELECT * FROM s3v_sync('docs', 'rebuild')});
is($copy->query(q{SELECT * FROM s3v_sync('docs', 'rebuild')})->{state}, '55000', 'the original takes it back');
$copy->must('UPDATE docs SET embedding = test_vector(id + 40, 32, 20) WHERE id % 3 = 0');
like($copy->query(q{SELECT s3v_fork('docs_aws')})->{err}, qr/NOTICE:.*is left to whoever else uses it/, 's3v_fork leaves the remote index alone');
is($copy->must(q{SELECT pending, state FROM s3v_indexes WHERE index = 'docs_aws'::regclass}), '0|ready', 'and builds another one');
is($copy->query(q{SELECT * FROM s3v_gc('aws', keep => '0')})->{state}, '55000', 's3v_gc refuses while another index of the copy is still the original\'s');
$copy->must(q{SELECT s3v_fork('big_aws')});
is(differences($node, 'copy', 'docs_aws', 'docs', 32), '0', 'the copy has a remote index of its own');
foreach my $who ([ $writer, 'the original' ], [ $copy, 'the copy' ], [ $writer, 'the original, again' ])
{
	$who->[0]->must('UPDATE docs SET embedding = test_vector(id + 41, 32, 20) WHERE id % 5 = 0');
	is($who->[0]->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '', "$who->[1] syncs");
	is($who->[0]->query(q{SELECT * FROM s3v_gc('aws', keep => '0')})->{state}, '', "$who->[1] cleans up");
	is(differences($node, $_, 'docs_aws', 'docs', 32), '0', "$who->[1]: $_ is right") foreach 'copy', $db;
}
is($copy->must(q{SELECT missing, orphaned, stale FROM s3v_check('docs')}), '0|0|0', 's3v_check of the copy');
$copy->quit;

is(join("\n", grep { /TRAP|PANIC|stub-secret/ && !/ LOG:  statement: |secret_access_key/ } split(/\n/, log_of($node))), '', 'no crash, no secret in the log');
done_testing();
