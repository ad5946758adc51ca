# pg_upgrade (E8): tables keep their identity, the cluster does not. Queries and changes go on; writing waits for s3v_adopt, since the cluster
# before may still be there. Both clusters are of one release here: what pg_upgrade does to the catalogs is the same.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

my $s3 = require_s3();
my $prefix = "it-upgrade-$$";
my $db = 'postgres';
my $before = new_cluster('before');

$before->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($before, $db, 'docs', rows => 2000);
make_table($before, $db, 'notes', rows => 500);
$before->safe_psql(
	$db, q{
	CREATE TABLE leaves (id int PRIMARY KEY, embedding real[]) PARTITION BY RANGE (id);
	CREATE TABLE leaf_1 PARTITION OF leaves FOR VALUES FROM (0) TO (300);
	CREATE TABLE leaf_2 PARTITION OF leaves FOR VALUES FROM (300) TO (1000);
	INSERT INTO leaves SELECT i, test_vector(i, 32, 20) FROM generate_series(1, 600) i});
my %indexes = (docs_s3v => 'docs', notes_s3v => 'notes', leaves_s3v => 'leaves', unbuilt_s3v => 'docs');
$before->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}', options => '{"probes": 7}')});
$before->safe_psql($db, q{SELECT s3v_create_index('leaves_s3v', 'leaves', 'embedding', server => 'lake')});
$before->safe_psql($db, q{SELECT s3v_create_index('notes_s3v', 'notes', 'embedding')});
$before->safe_psql($db, q{UPDATE docs SET embedding = test_vector(id + 7, 32, 20) WHERE id <= 20});
$before->safe_psql($db, q{SELECT * FROM s3v_sync('docs')});
$before->safe_psql($db, q{SELECT s3v_create_index('unbuilt_s3v', 'docs', 'embedding', server => 'lake', options => '{"build": false}')});

# Pending when the cluster is upgraded: recorded with transaction ids that pg_upgrade has to carry over. One was rolled back.
$before->safe_psql($db, q{INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(5001, 5050) i});
$before->safe_psql($db, q{BEGIN; DELETE FROM docs WHERE id < 1000; ROLLBACK});
$before->safe_psql($db, q{DELETE FROM docs WHERE id BETWEEN 100 AND 120});
$before->safe_psql($db, q{UPDATE notes SET embedding = test_vector(id + 1, 32, 20) WHERE id BETWEEN 200 AND 220});
$before->safe_psql($db, q{UPDATE leaves SET id = id + 400 WHERE id BETWEEN 201 AND 210});
my $state = q{SELECT index, source, version, rows, pending, state FROM s3v_indexes ORDER BY index::text COLLATE "C"};
my $of_before = $before->safe_psql($db, $state);
note($of_before);
my @objects = objects($s3, "$prefix/");
my ($local) = glob($before->data_dir . '/s3v');
ok(-d $local, 's3v_local has its files in the data directory');
$before->stop;

# ---- pg_upgrade ----

my $after = PostgreSQL::Test::Cluster->new('after');
$after->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$after->append_conf('postgresql.conf', "shared_buffers = 16MB\nmax_connections = 20\nautovacuum = off\ns3v.cache_size = 0\n");
chomp(my $bin = `pg_config --bindir`);
chdir($ENV{TESTDIR}) or die "chdir: $!";
command_ok(
	[
		'pg_upgrade', '--no-sync', '-d', $before->data_dir, '-D', $after->data_dir, '-b', $bin, '-B', $bin, '-s', $before->host,
		'-p', $before->port, '-P', $after->port ],
	'pg_upgrade has nothing to complain of');
$after->start;

# ---- reading and changing go on ----

is($after->safe_psql($db, $state), $of_before, 'versions and pending rows are those of before, nothing is stale');
is(differences($after, $db, $_, $indexes{$_}, 32), '0', "$_ equals its table") foreach qw(docs_s3v leaves_s3v unbuilt_s3v);
like($after->safe_psql($db, q{SELECT e->>'path' FROM s3v_explain('docs_s3v', test_vector(7, 32, 20)) e}), qr/^mixed$/, 'from the index and the pending rows');

# pg_upgrade copies no files but PostgreSQL's.
{
	my ($status, $out, $err) = $after->psql($db, q{SELECT key FROM s3v_query('notes_s3v', test_vector(7, 32, 20), 5) ORDER BY key});
	my $truth = $after->safe_psql($db, q{SELECT id::text AS key FROM notes ORDER BY test_cosine(embedding, test_vector(7, 32, 20)), id::text LIMIT 5});
	is($out, join("\n", sort split /\n/, $truth), 's3v_local without its files: the table answers');
	like($err, qr/WARNING/, 's3v_local without its files: with a warning') or diag($err);
}
system_or_bail('cp', '-a', $local, $after->data_dir . '/s3v');
is(differences($after, $db, 'notes_s3v', 'notes', 32), '0', 's3v_local with its files equals its table');

$after->safe_psql($db, q{INSERT INTO docs SELECT 6001, 'later', 1, true, test_vector(60013, 32, 20); DELETE FROM docs WHERE id = 300;
	DELETE FROM leaf_1 WHERE id < 20});
is(differences($after, $db, $_, $indexes{$_}, 32), '0', "$_: later changes are found as well") foreach sort keys %indexes;

# ---- writing waits for s3v_adopt ----

{
	my $session = session($after, $db);
	foreach my $sql (q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_sync('notes')}, q{SELECT * FROM s3v_gc('lake', keep => '0')})
	{
		my $answer = $session->query($sql);
		is($answer->{state}, '55000', "$sql refuses");
		like($answer->{err}, qr/HINT:.*s3v_adopt/, "$sql: and says how to go on");
	}
	$session->quit;
}
is_deeply([ objects($s3, "$prefix/") ], \@objects, 'nothing was written or deleted');
$after->safe_psql($db, "SELECT s3v_adopt('$_')") foreach sort keys %indexes;
foreach my $source ('docs', 'notes', 'leaves')
{
	is($after->safe_psql($db, "SELECT count(*) FROM s3v_sync('$source') WHERE error IS NOT NULL"), '0', "adopted: $source syncs");
}
is(differences($after, $db, $_, $indexes{$_}, 32), '0', "adopted: $_ equals its table") foreach sort keys %indexes;
is($after->safe_psql($db, q{SELECT sum(pending) FROM s3v_indexes}), '0', 'adopted: nothing is pending');
$after->safe_psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0'); SELECT * FROM s3v_gc('s3v_local', keep => '0')});
is($after->safe_psql($db, q{SELECT count(*), sum(missing + orphaned + stale + corrupt) FROM s3v_check()}), '4|0', 'adopted: s3v_check finds neither drift nor damage');
is(differences($after, $db, $_, $indexes{$_}, 32), '0', "adopted, cleaned up: $_ equals its table") foreach sort keys %indexes;

# The cluster before must not write any more.
$before->start;
{
	my $session = session($before, $db);
	is($session->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '55000', 'the cluster before refuses from now on');
	is($session->query(q{SELECT * FROM s3v_gc('lake', keep => '0')})->{state}, '55000', 'and deletes nothing');
	$session->quit;
}
is(differences($after, $db, 'docs_s3v', 'docs', 32), '0', 'docs_s3v equals its table still');

done_testing();
