# pg_dump | psql into another database, and pg_restore into another cluster: versions and pending rows survive, queries answer,
# nothing is stale. A copy shares the objects with its original, and neither may write or delete until one says so.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(sleep);

my $s3 = S3vTest::Proxy->before(require_s3());
my $prefix = "it-dump-$$";
my $node = new_cluster('original');

# ---- the original: a database whose owner is no superuser ----

$node->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE reader LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE original OWNER keeper');
S3vTest::add_extension($node, 'original');
$node->safe_psql('original', server_sql('lake', $s3, prefix => $prefix, role => 'keeper'));
$node->safe_psql(
	'original', q{
	GRANT USAGE ON FOREIGN SERVER lake TO keeper;
	GRANT EXECUTE ON FUNCTION s3v_create_index, s3v_sync, s3v_adopt TO keeper;
	GRANT ALL ON SCHEMA public TO keeper});
make_table($node, 'original', 'docs', rows => 2000);
make_table($node, 'original', '"Odd Name"', rows => 300);
$node->safe_psql('original', 'ALTER TABLE docs OWNER TO keeper; ALTER TABLE "Odd Name" OWNER TO keeper');
{
	my $keeper = session($node, 'original', user => 'keeper');
	$keeper->must(q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}',
		options => '{"probes": 7}')});
	$keeper->must(q{SELECT s3v_create_index('"Odd Index"', '"Odd Name"', 'embedding', server => 'lake')});
	$keeper->must('GRANT SELECT ON docs, docs_s3v TO reader');
	$keeper->must('UPDATE docs SET embedding = test_vector(id + 7, 32, 20) WHERE id <= 20');
	$keeper->must(q{SELECT * FROM s3v_sync('"Odd Name"')});
	$keeper->must(q{SELECT * FROM s3v_sync('docs')});
	$keeper->must(q{SELECT s3v_create_index('unbuilt_s3v', 'docs', 'embedding', server => 'lake', options => '{"build": false}')});
	# Pending when the dump is taken.
	$keeper->must(q{INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(5001, 5050) i});
	$keeper->must('DELETE FROM docs WHERE id BETWEEN 100 AND 120');
	$keeper->must('UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id BETWEEN 200 AND 220');
	$keeper->quit;
}
my $state = q{SELECT index, source, version, rows, pending, state FROM s3v_indexes ORDER BY index::text COLLATE "C"};
my $of_original = $node->safe_psql('original', $state);
note($of_original);
like($of_original, qr/^docs_s3v\|docs\|2\|2000\|92\|ready\nunbuilt_s3v\|docs\|0\|0\|92\|not built$/m, 'the original has pending rows, and an index not built yet');
my @objects = objects($s3, "$prefix/");

# ---- the copies ----

sub dump_as_owner
{
	my (@how) = @_;
	my ($dump, $err);

	IPC::Run::run([ 'pg_dump', @how, '-U', 'keeper', '-d', $node->connstr('original') ], '>', \$dump, '2>', \$err);
	is($err, '', "pg_dump @how, by the database's owner, has nothing to complain of");
	return $dump;
}

sub restore
{
	my ($target, $database, $dump, @program) = @_;
	my ($out, $err);

	$target->safe_psql('postgres', "CREATE DATABASE $database OWNER keeper");
	IPC::Run::run([ @program, '-d', $target->connstr($database) ], '<', \$dump, '>', \$out, '2>', \$err);
	unlike($err, qr/ERROR|WARNING|error:/, "$program[0] into $database: no errors") or diag($err);
	return;
}

restore($node, 'copy', dump_as_owner(), 'psql', '-X', '-v', 'ON_ERROR_STOP=1');
my $other = new_cluster('elsewhere');
$other->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE reader LOGIN');
restore($other, 'copy', dump_as_owner('-Fc'), 'pg_restore', '--exit-on-error');

foreach my $copy ([ 'another database', $node ], [ 'another cluster', $other ])
{
	my ($where, $target) = @$copy;

	is($target->safe_psql('copy', $state), $of_original, "$where: versions and pending rows are those of the original, nothing is stale");
	foreach my $pair ([ 'docs_s3v', 'docs' ], [ '"Odd Index"', '"Odd Name"' ], [ 'unbuilt_s3v', 'docs' ])
	{
		is(differences($target, 'copy', @$pair, 32), '0', "$where: $pair->[0] equals its table");
	}
	my $reader = session($target, 'copy', user => 'reader');
	my $answer = $reader->query(q{SELECT e->>'path', e->>'lists_probed' FROM s3v_explain('docs_s3v', test_vector(7, 32, 20)) e});
	like($answer->{out}, qr/^mixed\|/, "$where: from the index and the pending rows, also for a reader");
	unlike($answer->{err}, qr/WARNING/, "$where: without a warning");
	$reader->quit;
	is($target->safe_psql('copy', q{SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'docs_s3v'::regclass}), '{probes=7}',
		"$where: index options are there");

	# Captured as in the original.
	$target->safe_psql('copy', q{INSERT INTO docs SELECT 6001, 'later', 1, true, test_vector(60013, 32, 20)});
	$target->safe_psql('copy', q{DELETE FROM docs WHERE id = 300});
	is(differences($target, 'copy', 'docs_s3v', 'docs', 32), '0', "$where: later changes are found as well");
	is($target->safe_psql('copy', q{SELECT key FROM s3v_query('docs_s3v', test_vector(60013, 32, 20), 1)}), '6001', "$where: at once");

	# Nothing may be written or deleted.
	my $session = session($target, 'copy');
	foreach my $sql (q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_sync('"Odd Name"', 'rebuild')}, q{SELECT * FROM s3v_gc('lake', keep => '0')})
	{
		$answer = $session->query($sql);
		is($answer->{state}, '55000', "$where: $sql refuses");
		like($answer->{err}, qr/HINT:.*s3v_adopt/, "$where: and says how to go on");
	}
	$session->quit;
}
is_deeply([ objects($s3, "$prefix/") ], \@objects, 'no copy wrote or deleted anything');

# ---- one of them takes over ----

$node->safe_psql('copy', q{SELECT s3v_adopt('docs_s3v')});
like($node->safe_psql('copy', q{SELECT version, error FROM s3v_sync('docs') WHERE index = 'docs_s3v'::regclass}), qr/^3\|$/,
	's3v_adopt: the copy syncs') if $node->psql('copy', q{SELECT s3v_adopt('unbuilt_s3v')}) == 0;
is(differences($node, 'copy', 'docs_s3v', 'docs', 32), '0', 's3v_adopt: and its version equals its table');
my %there = map { $_ => 1 } objects($s3, "$prefix/");
is(scalar(grep { !$there{$_} } @objects), 0, 's3v_adopt: nothing of the original was deleted');
foreach my $target ([ 'the original', $node, 'original' ], [ 'the other copy', $other, 'copy' ])
{
	my ($who, $on, $database) = @$target;
	my $session = session($on, $database);
	my $answer = $session->query(q{SELECT * FROM s3v_sync('docs')});

	is($answer->{state}, '55000', "s3v_adopt: $who refuses from now on");
	like($answer->{err}, qr/HINT:.*s3v_adopt/, "s3v_adopt: $who says how to go on");
	is($session->query(q{SELECT * FROM s3v_gc('lake', keep => '0')})->{state}, '55000', "s3v_adopt: $who deletes nothing");
	$session->quit;
	is(differences($on, $database, 'docs_s3v', 'docs', 32), '0', "s3v_adopt: queries of $who go on");
}
%there = map { $_ => 1 } objects($s3, "$prefix/");
is(scalar(grep { !$there{$_} } @objects), 0, 'after all that, every object of the original is still there');
is($node->psql('original', q{SELECT * FROM s3v_sync('"Odd Name"', 'rebuild')}), 0, 'an index that nobody took over is still the original\'s');

# And back.
$node->safe_psql('original', q{SELECT s3v_adopt('docs_s3v'); SELECT s3v_adopt('unbuilt_s3v')});
is($node->psql('original', q{SELECT * FROM s3v_sync('docs')}), 0, 'the original takes it back');
is(differences($node, 'original', 'docs_s3v', 'docs', 32), '0', 'and its version equals its table');
{
	my $session = session($node, 'copy');
	$session->must('DELETE FROM docs WHERE id = 400');
	is($session->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '55000', 'now it is the copy that refuses');
	$session->quit;
}

# A take-over while the other one is at work: that one has claimed already, and must find out before it commits.
{
	my $session = session($node, 'original');
	$session->must('DELETE FROM docs WHERE id = 500');
	my $versions = $session->must('SELECT index_id, version FROM s3v.version ORDER BY 1');
	$s3->{proxy}->rules('verb=PUT,key=/manifest/,nth=1,fault=delay,ms=1500');
	$session->send(q{SELECT * FROM s3v_sync('docs')});
	wait_until('the sync writes its manifest', sub { $s3->{proxy}->hits == 1 });
	$node->safe_psql('copy', q{SELECT s3v_adopt('docs_s3v')});
	my $answer = $session->result;
	$s3->{proxy}->rules;
	is($answer->{state}, '55000', 'a sync that was overtaken refuses at its end');
	is($session->must('SELECT index_id, version FROM s3v.version ORDER BY 1'), $versions, 'and publishes nothing');
	is($session->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'its queries go on');
	$session->quit;
	$node->safe_psql('copy', q{SELECT s3v_adopt('unbuilt_s3v')});
	is($node->psql('copy', q{SELECT * FROM s3v_sync('docs')}), 0, 'the one that took over syncs');
}

done_testing();
