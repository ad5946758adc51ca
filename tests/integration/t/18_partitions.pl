# Partitioned sources outlive pg_dump and restore (plain, in parallel, through the root) and logical replication into root
# and leaves: nothing is stale that should not be, triggers of leaves that come later are there, and no command of others fails.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

my $node = new_cluster('partitions', allows_streaming => 'logical');

sub make_partitioned
{
	my ($database, $rows) = @_;

	$node->safe_psql(
		$database, qq{
		CREATE TABLE docs (id int PRIMARY KEY, category text NOT NULL, price numeric, published bool, embedding real[]) PARTITION BY RANGE (id);
		CREATE TABLE docs_1 PARTITION OF docs FOR VALUES FROM (1) TO (201);
		CREATE TABLE docs_2 (embedding real[], published bool, price numeric, gone int, category text NOT NULL, id int NOT NULL) PARTITION BY HASH (id);
		ALTER TABLE docs_2 DROP COLUMN gone;
		CREATE TABLE docs_2_0 PARTITION OF docs_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE docs_2_1 PARTITION OF docs_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		ALTER TABLE docs ATTACH PARTITION docs_2 FOR VALUES FROM (201) TO (10001);
		CREATE TABLE docs_rest PARTITION OF docs DEFAULT;
		INSERT INTO docs SELECT i, 'c' || i % 7, (hashint4(i) & 1023) / 8.0, i % 3 <> 0, test_vector(i, 32, 20) FROM generate_series(1, $rows) i;
		ANALYZE docs});
	return;
}

sub change
{
	my ($database) = @_;

	$node->safe_psql(
		$database, q{
		INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(20001, 20020) i;
		UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id <= 20;
		UPDATE docs SET id = id + 5000 WHERE id BETWEEN 101 AND 105;
		DELETE FROM docs WHERE id BETWEEN 221 AND 230});
	return;
}

# ---- dump and restore ----

make_partitioned('postgres', 500);
$node->safe_psql('postgres', q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', metadata => '{category,price}')});
change('postgres');
my $state = q{SELECT index, source, version, rows, pending, state FROM s3v_indexes};
my $triggers = q{SELECT tgrelid::regclass, tgname, tgenabled, tgparentid <> 0 FROM pg_trigger WHERE tgfoid = 's3v_capture'::regproc ORDER BY 1, 2};
my $original = $node->safe_psql('postgres', $state);
my $in_place = $node->safe_psql('postgres', $triggers);
like($original, qr/^docs_s3v\|docs\|1\|500\|60\|ready$/, 'the original has pending rows of all leaves');
is(differences($node, 'postgres', 'docs_s3v', 'docs', 32), '0', 'the original equals its table');

my $file = "$ENV{TESTDATADIR}/parts.dump";
foreach my $way ([ 'plain', [ 'pg_dump', '-Fp', '-f', $file ], [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file ] ],
	[ 'jobs', [ 'pg_dump', '-Fc', '-f', $file ], [ 'pg_restore', '--exit-on-error', '-j', '3', $file ] ],
	[ 'root', [ 'pg_dump', '-Fc', '--load-via-partition-root', '-f', $file ], [ 'pg_restore', '--exit-on-error', $file ] ] )
{
	my ($name, $dump, $restore) = @$way;
	my ($out, $err);

	command_ok([ @$dump, '-d', $node->connstr('postgres') ], "$name: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE copy_$name");
	IPC::Run::run([ @$restore, '-d', $node->connstr("copy_$name") ], '>', \$out, '2>', \$err);
	unlike($err, qr/ERROR|error:/, "$name: restored without errors") or diag($err);
	is($node->safe_psql("copy_$name", $state), $original, "$name: versions and pending rows are those of the original, nothing is stale");
	is($node->safe_psql("copy_$name", $triggers), $in_place, "$name: so are the triggers");
	is(differences($node, "copy_$name", 'docs_s3v', 'docs', 32), '0', "$name: the index equals its table");
	$node->safe_psql("copy_$name", q{DELETE FROM docs_2_0 WHERE id < 300; TRUNCATE docs_1; INSERT INTO docs SELECT 7, 'c', 1, true, test_vector(7, 32, 20)});
	is(differences($node, "copy_$name", 'docs_s3v', 'docs', 32), '0', "$name: changes of leaves are captured");
	$node->safe_psql("copy_$name", q{SELECT s3v_adopt('docs_s3v')}) if $name eq 'jobs';
}
is($node->safe_psql('copy_jobs', q{SELECT version, error FROM s3v_sync('docs')}), '2|', 'a copy that took over syncs');
is(differences($node, 'copy_jobs', 'docs_s3v', 'docs', 32), '0', 'and equals its table');
$node->safe_psql('copy_jobs', q{ALTER TABLE docs DETACH PARTITION docs_1; TRUNCATE docs_1; DROP TABLE docs_1});
$node->safe_psql('copy_jobs', q{DROP TABLE docs});
is($node->safe_psql('copy_jobs', 'SELECT count(*) FROM s3v_indexes'), '0', 'and can be dropped');
# A leaf alone, where nobody knows the source.
command_ok([ 'pg_dump', '-Fc', '-t', 'docs_1', '-f', $file, '-d', $node->connstr('postgres') ], 'a leaf alone: dumped');
{
	my ($out, $err);

	# Its clone of the row trigger is the root's affair; its TRUNCATE trigger comes along.
	IPC::Run::run([ 'pg_restore', '-d', $node->connstr('copy_jobs'), $file ], '>', \$out, '2>', \$err);
	my @other = grep { /ERROR:/ && !/"public\.docs(_pkey)?" does not exist/ } split(/\n/, $err);
	is("@other", '', 'a leaf alone: restored, but for its place in a table that is not there');
}
is($node->psql('copy_jobs', 'INSERT INTO docs_1 SELECT * FROM docs_1 WHERE false; TRUNCATE docs_1'), 0, 'a leaf alone: TRUNCATE goes on');

# ---- logical replication ----

foreach my $via_root (0, 1)
{
	my $target = "target_$via_root";
	my $replay = sub { $node->wait_for_catchup("sub_$via_root"); return; };

	$node->safe_psql('postgres', "CREATE DATABASE $target");
	S3vTest::add_extension($node, $target);
	make_partitioned($target, 0);
	$node->safe_psql('postgres', "CREATE PUBLICATION pub_$via_root FOR TABLE docs WITH (publish_via_partition_root = " . ($via_root ? 'true' : 'false') . ");
		SELECT pg_create_logical_replication_slot('slot_$via_root', 'pgoutput')");
	$node->safe_psql($target, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', options => '{"dimensions": 32, "build": false}'); SELECT s3v_sync('docs')});
	my $connection = $node->connstr('postgres') =~ s/'/''/gr;
	$node->safe_psql($target, "CREATE SUBSCRIPTION sub_$via_root CONNECTION '$connection' PUBLICATION pub_$via_root WITH (create_slot = false, slot_name = 'slot_$via_root')");
	$node->wait_for_subscription_sync($node, "sub_$via_root", $target);
	my $how = $via_root ? 'via the root' : 'leaf by leaf';

	is($node->safe_psql($target, 'SELECT (SELECT count(*) FROM docs) = (SELECT pending FROM s3v_indexes)'), 't', "$how: the copied rows are captured");
	$node->safe_psql($target, q{SELECT s3v_sync('docs')});
	$node->safe_psql(
		'postgres', qq{
		UPDATE docs SET embedding = test_vector(id + 2, 32, 20) WHERE id BETWEEN 150 AND 250;
		UPDATE docs SET id = id + 600 WHERE id BETWEEN 30 AND 40;
		DELETE FROM docs WHERE id BETWEEN 241 AND 250;
		UPDATE docs SET id = id - 600 WHERE id BETWEEN 630 AND 640;
		INSERT INTO docs SELECT 9000 + i + 100 * $via_root, 'n', 1, true, test_vector(i, 32, 20) FROM generate_series(1, 30) i});
	$replay->();
	is($node->safe_psql($target, 'SELECT count(*) FROM docs'), $node->safe_psql('postgres', 'SELECT count(*) FROM docs'), "$how: rows are applied");
	is(differences($node, $target, 'docs_s3v', 'docs', 32), '0', "$how: and captured");
	is($node->safe_psql($target, q{SELECT version, error FROM s3v_sync('docs')}), '3|', "$how: and synced");
	is(differences($node, $target, 'docs_s3v', 'docs', 32), '0', "$how: the version equals the table");
	# Of a leaf alone it is published only where leaves are.
	my $truncated = $via_root ? 'docs' : 'docs_2_0';
	$node->safe_psql('postgres', "BEGIN; TRUNCATE $truncated; INSERT INTO docs SELECT 300, 'c', 1, true, test_vector(300, 32, 20) ON CONFLICT DO NOTHING; COMMIT");
	$replay->();
	is($node->safe_psql($target, 'SELECT count(*) FROM docs'), $node->safe_psql('postgres', 'SELECT count(*) FROM docs'), "$how: TRUNCATE is applied");
	is(differences($node, $target, 'docs_s3v', 'docs', 32), '0', "$how: the index equals its table after a TRUNCATE");
	$node->safe_psql($target, "DROP SUBSCRIPTION sub_$via_root");
}
is(differences($node, 'postgres', 'docs_s3v', 'docs', 32), '0', 'the publisher equals its table, too');
unlike(log_of($node), qr/terminated by signal|PANIC|leak: |reference leak/, 'the log shows no crash and no leak');

done_testing();
