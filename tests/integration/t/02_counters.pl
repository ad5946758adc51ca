# What s3v_explain tells is what a proxy counts, request by request; a cold query takes at most two waves; writers send
# nothing, and write on while the store is down.
use strict;
use warnings;

use List::Util qw(sum0 max);
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;

my $s3 = S3vTest::Proxy->before(require_s3());
my $proxy = $s3->{proxy};
my $prefix = "it-counters-$$";
my $node = new_cluster('counters');
my $db = 'postgres';

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 5000, dims => 64, clusters => 50);

# Bytes of bodies that came by GET, without those of error answers.
sub bytes_got { return sum0(map { $_->{bytes} } grep { $_->{verb} eq 'GET' && $_->{status} =~ /^2/ } @_); }

# ---- building and syncing ----

$proxy->requests;
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}',
	options => '{"lists": 40}')});
my @built = $proxy->requests;
my @puts = grep { $_->{verb} eq 'PUT' } @built;
note(scalar(@built) . ' requests to build, ' . scalar(@puts) . ' of them PUT');
is(scalar(grep { $_->{status} !~ /^(2|404)/ } @built), 0, 'every request of the build was answered well');
my %times;
$times{ $_->{path} }++ foreach @puts;
is(max(values %times), 1, 'no object is written twice');
is(sum0(map { $_->{request_bytes} } grep { $_->{path} !~ m{/owner/} } @puts), $node->safe_psql($db, 'SELECT bytes FROM s3v_indexes'),
	's3v_indexes.bytes is what went over the wire');

$node->safe_psql($db, 'UPDATE docs SET embedding = test_vector(id + 1, 64, 50) WHERE id < 30');
$proxy->requests;
my ($upserted, $written, $requests) = split /\|/, $node->safe_psql($db, q{SELECT upserted, bytes_written, requests FROM s3v_sync('docs')});
my @synced = $proxy->requests;
is($upserted, 29, 's3v_sync counts the rows');
is($requests, scalar(@synced), "s3v_sync counts its $requests requests");
is($written, sum0(map { $_->{request_bytes} } grep { $_->{verb} eq 'PUT' } @synced), 's3v_sync counts the bytes it wrote');
is($node->safe_psql($db, q{SELECT requests, bytes_written FROM s3v_sync('docs')}) . ' ' . scalar($proxy->requests), '0|0 0',
	'a sync with nothing to do sends nothing');

# ---- queries ----

# Each with the further waves it may take: where a filter or a key set leaves too few rows, the probe widens step by step, and
# each step reads more lists than all before.
my @how = (
	[ 'plain', '', 0 ],
	[ 'filtered', q{, filter => '{"category": "c3", "price": {"$lt": 50}}'}, 5 ],
	[ 'every list', q{, options => '{"probes": 1000}'}, 0 ],
	[ 'one list', q{, options => '{"probes": 1}'}, 0 ],
	[ 'a filter that passes few rows', q{, filter => '{"price": {"$lt": 0.2}}'}, 5 ],
	[ 'many keys', q{, keys => (SELECT array_agg(id::text) FROM docs WHERE id % 2 = 1)}, 5 ],
	[ 'a byte budget', q{, options => '{"max_bytes": "200kB", "probes": 1000}'}, 0 ]);

sub compare_counters
{
	my ($session, $what, $arguments, $probe) = @_;

	$proxy->requests;
	my $told = $session->must("SELECT s3v_explain('docs_s3v', test_vector($probe, 64, 50), 10$arguments)");
	my @log = $proxy->requests;

	is(explained($told, 'path'), 'index', "$what: the index answers");
	is(scalar(grep { $_->{verb} ne 'GET' } @log), 0, "$what: nothing but GETs");
	is(explained($told, 'requests'), scalar(@log), "$what: " . scalar(@log) . ' requests');
	is(explained($told, 'bytes'), bytes_got(@log), "$what: " . bytes_got(@log) . ' bytes');
	is(explained($told, 'retries'), 0, "$what: no retries");
	is(scalar(grep { $_->{path} =~ m{/segment/} && ($_->{range} // '') !~ /^bytes=\d+-\d+$/ } @log), 0, "$what: segments are read by range");
	return ($told, @log);
}

foreach my $case (@how)
{
	my ($what, $arguments, $steps) = @$case;
	my $session = session($node, $db);
	my ($told, @cold) = compare_counters($session, "$what, cold", $arguments, 7);
	cmp_ok(explained($told, 'waves'), '<=', 2 + $steps, "$what, cold: " . explained($told, 'waves') . ' waves');
	is(scalar(grep { $_->{path} =~ m{/nav/} } @cold), 2, "$what, cold: base and delta are read once each");

	($told, my @warm) = compare_counters($session, "$what, warm", $arguments, 1234);
	is(scalar(grep { $_->{path} =~ m{/nav/} } @warm), 0, "$what, warm: the navigation tier is not read again");
	cmp_ok(explained($told, 'waves'), '<=', 1 + $steps, "$what, warm: " . explained($told, 'waves') . ' waves');
	$session->quit;
}

{
	my $session = session($node, $db);
	$proxy->requests;
	my $told = $session->must(q{SELECT s3v_explain('docs_s3v', test_vector(7, 64, 50), 10, keys => '{1,2,3}')});
	is(explained($told, 'path') . ' ' . explained($told, 'requests') . ' ' . scalar($proxy->requests), 'source 0 0',
		'a few keys are read from the source, without a request');
	$told = $session->must(q{SELECT s3v_explain('docs_s3v', test_vector(7, 64, 50), 10)});
	my $usd = $session->must(q{SELECT usd FROM s3v.price WHERE item = 's3.get'});
	is(explained($told, 'request_cost_usd'), sprintf('%.10f', $usd * scalar($proxy->requests)), 'the cost is that of the counted requests');
	$session->quit;
}

# A query after another session's sync reads the new version's navigation tier, and nothing of the old one.
{
	my $session = session($node, $db);
	compare_counters($session, 'before a sync', '', 7);
	$node->safe_psql($db, 'DELETE FROM docs WHERE id = 4000');
	$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs')});
	my ($told, @log) = compare_counters($session, 'after a sync', '', 7);
	my $new = $node->safe_psql($db, q{SELECT array_to_string(base || deltas, '|') FROM s3v.version});
	cmp_ok(scalar(grep { m{/nav/($new)$} } map { $_->{path} } @log), '>=', 1, 'after a sync: the new navigation tier is read');
	cmp_ok(explained($told, 'waves'), '<=', 2, 'after a sync: two waves at most');
	$session->quit;
}

# ---- writers ----

my $rows = "$ENV{TESTDIR}/rows";
append_to_file($rows, join('', map { "$_\tx\t{" . join(',', 1 .. 63, $_) . "}\n" } 1 .. 20));
my @writes = (
	INSERT => q{INSERT INTO docs SELECT i, 'x', 1, true, test_vector(i, 64, 50) FROM generate_series(20001, 20200) i},
	UPDATE => q{UPDATE docs SET embedding = test_vector(id + 2, 64, 50) WHERE id <= 200},
	'UPDATE of the key' => q{UPDATE docs SET id = -id WHERE abs(id) % 700 = 11},
	DELETE => q{DELETE FROM docs WHERE id BETWEEN 400 AND 420},
	'INSERT ... ON CONFLICT' => q{INSERT INTO docs SELECT 500, 'x', 1, true, test_vector(1, 64, 50) ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding},
	'DELETE of some' => q{DELETE FROM docs WHERE id <= 20},
	COPY => "COPY docs (id, category, embedding) FROM '$rows'",
	'a transaction' => q{BEGIN; INSERT INTO docs SELECT 20500, 'x', 1, true, test_vector(3, 64, 50); SAVEPOINT s; DELETE FROM docs WHERE id = 20500;
		ROLLBACK TO s; COMMIT},
	ROLLBACK => q{BEGIN; DELETE FROM docs; ROLLBACK});

sub write_all
{
	my ($how, $counting) = @_;
	my $session = session($node, $db);

	for (my $i = 0; $i < @writes; $i += 2)
	{
		my ($what, $sql) = @writes[ $i, $i + 1 ];
		$proxy->requests if $counting;
		my $answer = $session->query($sql);
		is($answer->{state}, '', "$what, $how: succeeds");
		is(scalar($proxy->requests), 0, "$what, $how: no request") if $counting;
	}
	$session->quit;
	return;
}
write_all('the store is there', 1);
is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'and the query equals the table');

$proxy->stop;
$node->safe_psql($db, 'DELETE FROM docs WHERE id >= 20000');
write_all('the store is down', 0);
{
	my $session = session($node, $db);
	$session->must(q{SET s3v.request_timeout = '1s'});
	my $answer = $session->query(q{SELECT * FROM s3v_query('docs_s3v', test_vector(1, 64, 50))});
	is($answer->{state}, '08006', 'a query while the store is down: 08006');
	like($answer->{err}, qr/\Q$s3->{endpoint}\E/, 'which names the endpoint');
	cmp_ok($answer->{ms}, '<', 3000, sprintf('within its time, %.0f ms', $answer->{ms}));
	is($session->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '08006', 'a sync, too');
	is($session->query(q{SELECT * FROM s3v_query('docs_s3v', test_vector(1, 64, 50), keys => '{1,2}')})->{state}, '',
		'what needs no store still works');
	$session->quit;
}
$proxy->start;
is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'the store is back: the query equals the table');
is($node->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, 'and the sync works');
is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'and its version equals the table');

done_testing();
