# kill -9 and immediate stops in the middle of syncs: afterwards the old version or the new one is there, with the change log
# that belongs to it; the query equals the table; the next sync works; and s3v_gc deletes the orphans and nothing else.
use strict;
use warnings;

use S3vTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $s3 = require_s3();
my $prefix = "it-crash-$$";
my $node = new_cluster('crash', conf => "restart_after_crash = on\nfsync = off\n");
my $db = 'postgres';
my $seed = $ENV{S3V_TEST_SEED} // 20261121;

srand($seed);
note("seed $seed");
$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 6000, dims => 64, clusters => 60);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});

sub state_now
{
	return $node->safe_psql($db, 'SELECT version, pending FROM s3v_indexes');
}

# Inserts, updates and deletes; answers the number of keys in the log.
my $round = 0;
sub change_rows
{
	$round++;
	$node->safe_psql(
		$db, qq{
		INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 64, 60) FROM generate_series($round * 100000, $round * 100000 + 39) i;
		UPDATE docs SET embedding = test_vector(id + $round, 64, 60) WHERE id % 97 = $round;
		DELETE FROM docs WHERE id % 101 = $round});
	return $node->safe_psql($db, 'SELECT pending FROM s3v_indexes');
}

# The server is back when it answers.
sub wait_for_server
{
	wait_until('the server is back', sub { $node->psql($db, 'SELECT 1') == 0 }, 30);
	return;
}

# How long a sync takes, to aim at random moments of it.
change_rows();
my $started = time;
$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs')});
my $duration = time - $started;
note(sprintf 'a sync takes %.2f s', $duration);

# Starts a sync and comes back at a random moment of it: at once, or some time after s3v_progress shows it.
sub sync_until_random_moment
{
	my $session = session($node, $db);
	my $watcher = session($node, $db);

	$session->send(q{SELECT * FROM s3v_sync('docs')});
	wait_until('s3v_progress shows the sync', sub {
			$watcher->must('SELECT count(*) FROM s3v_progress WHERE pid = ' . $session->pid) eq '1' || !$session->is_busy }) if rand() < 0.8;
	sleep(rand(0.9 * $duration));
	my $phase = $watcher->query('SELECT phase FROM s3v_progress')->{out};
	return ($session, $watcher, $phase ne '' ? $phase : $session->is_busy ? 'claiming or publishing' : 'done');
}

my %outcomes;
foreach my $crash ((map { ('kill -9') } 1 .. 6), (map { ('immediate stop') } 1 .. 4))
{
	my $pending = change_rows();
	my ($version) = split /\|/, state_now();
	my ($session, $watcher, $phase) = sync_until_random_moment();

	if ($crash eq 'kill -9')
	{
		kill('KILL', $session->pid);
		$session->result;
		$session->quit;
		$watcher->quit;
		wait_for_server();
	}
	else
	{
		$node->stop('immediate');
		$session->quit;
		$watcher->quit;
		$node->start;
	}
	my ($version_now, $pending_now) = split /\|/, state_now();
	my $outcome = $version_now == $version ? 'old' : 'new';
	$outcomes{$outcome}++;
	is("$version_now $pending_now", $outcome eq 'old' ? "$version $pending" : ($version + 1) . ' 0',
		"$crash in phase \"$phase\": the $outcome version, and the log that belongs to it");
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', "$crash: the query equals the table");
	my ($synced, $error) = split /\|/, $node->safe_psql($db, q{SELECT version, error FROM s3v_sync('docs')});
	is($synced, $version + 1, "$crash: the next sync works");
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', "$crash: and its version equals the table");
}
note(join ', ', map { "$outcomes{$_} times the $_ version" } sort keys %outcomes);
cmp_ok($outcomes{old} // 0, '>=', 3, 'at least three crashes hit a sync in its middle');

# ---- the postmaster itself, whose backends linger ----

{
	change_rows();
	my ($session, $watcher) = sync_until_random_moment();
	$node->kill9;
	$session->result;
	$_->quit foreach $session, $watcher;
	wait_until('the server starts again', sub { $node->start(fail_ok => 1) }, 30);
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'postmaster killed with -9: the query equals the table');
	is($node->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, 'and the next sync works');
}

# ---- the orphans, and nothing else ----

my $uuid = $node->safe_psql($db, 'SELECT uuid FROM s3v.index');
store_object($s3, "$prefix/README.txt", 'not ours');
store_object($s3, "$prefix/$uuid/notes.txt", 'nor this');
store_object($s3, "$prefix/$uuid/segment/not-hexadecimal", 'nor this');
store_object($s3, "it-crash-other-$$/$uuid/segment/" . 'a' x 32, 'another prefix');
my @before = objects($s3, "$prefix/");

is($node->safe_psql($db, q{SELECT deleted, kept > 0 FROM s3v_gc('lake')}), '0|t', 'by default everything is younger than 7 days: nothing goes');
is_deeply([ grep { !m{/owner/} } objects($s3, "$prefix/") ], [ grep { !m{/owner/} } @before ], 'all objects are still there');
sleep(2.1);
my ($deleted, $foreign) = split /\|/, $node->safe_psql($db, q{SELECT deleted, foreign_objects FROM s3v_gc('lake', keep => '0')});
my @after = objects($s3, "$prefix/");
my %left = map { $_ => 1 } @after;
my @gone = grep { !$left{$_} } @before;
my ($manifest, $base, $delta, $segments) = split /\|/, $node->safe_psql($db, 'SELECT manifest, base, delta, segments FROM s3v.version');

is(scalar(@gone), $deleted, 's3v_gc deleted what it says');
cmp_ok($deleted, '>', 0, "$deleted orphans and objects of old versions went");
is(scalar(grep { !m{^\Q$prefix/$uuid\E/(owner|manifest|nav|segment)/} } @gone), 0, 'all of them below the index\'s own prefix');
is_deeply([ grep { m{/(manifest|nav)/} } @after ],
	[ sort "$prefix/$uuid/manifest/$manifest", "$prefix/$uuid/nav/$base", "$prefix/$uuid/nav/$delta" ],
	'of manifests and navigation the present version\'s are left, and no other');
is(scalar(grep { m{/segment/[0-9a-f]{32}$} } @after), $segments, 'and as many segments as it has');
is($foreign, 3, 'three objects that are not ours are told');
ok($left{"$prefix/README.txt"} && $left{"$prefix/$uuid/notes.txt"} && $left{"$prefix/$uuid/segment/not-hexadecimal"}, 'and left alone');
is(scalar(objects($s3, "it-crash-other-$$/")), 1, 'another prefix is not touched');
is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'after it the query equals the table');
is($node->safe_psql($db, 'SELECT count(*) FROM s3v.history'), '1', 'one version is remembered');
change_rows();
is($node->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, 'and the next sync works');
is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'and its version equals the table');

# ---- a version that a snapshot still needs ----

{
	my $reader = session($node, $db);
	my $hits = q{SELECT string_agg(key, ',' ORDER BY distance) FROM s3v_query('docs_s3v', test_vector(77, 64, 60), 20, options => '{"probes": 100000}')};
	$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $answer = $reader->must($hits);
	change_rows();
	$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs')});
	sleep(2.1);
	$node->safe_psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')});
	my $again = $reader->query($hits);
	is($again->{out}, $answer, 'an open snapshot reads its version after a sync and s3v_gc(keep => 0)');
	unlike($again->{err}, qr/WARNING/, 'from the index');
	$reader->must('COMMIT');
	$reader->quit;
}

done_testing();
