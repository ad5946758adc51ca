# kill -9 and immediate stops in the middle of syncs: afterwards the old version or the new one is there, with the change log
# that belongs to it; the query equals the table; the next sync works; and s3v_gc deletes the orphans and nothing else.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(time sleep);

my $s3 = S3vTest::Proxy->before(require_s3());
my $proxy = $s3->{proxy};
my $prefix = "it-crash-$$";
my $node = new_cluster('crash', conf => "restart_after_crash = on\n");
my $db = 'postgres';
my $seed = $ENV{S3V_TEST_SEED} // 20261121;

srand($seed);
note("seed $seed");
$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 4000, dims => 64, clusters => 50);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});

sub state_now
{
	return $node->safe_psql($db, 'SELECT version, pending FROM s3v_indexes');
}

# Inserts, updates and deletes; answers the number of rows in the log.
my $round = 0;
sub change_rows
{
	$round++;
	$node->safe_psql(
		$db, qq{
		INSERT INTO docs SELECT 10000 + i, 'new', 1, true, test_vector(i, 64, 50) FROM generate_series($round * 100, $round * 100 + 39) i;
		UPDATE docs SET embedding = test_vector(id + $round, 64, 50) WHERE id % 97 = $round;
		DELETE FROM docs WHERE id % 101 = $round});
	return $node->safe_psql($db, 'SELECT pending FROM s3v_indexes');
}

# How it ends: of a backend, or of the whole server. The server is back when it answers.
my %ends = (
	'kill -9' => sub {
		my ($session) = @_;
		kill('KILL', $session->pid);
		$session->result;
		wait_until('the server is back', sub { $node->psql($db, 'SELECT 1') == 0 });
	},
	'immediate stop' => sub { $node->stop('immediate'); $node->start; },
	'pg_terminate_backend' => sub { kill('TERM', $_[0]->pid); $_[0]->result; },
	'pg_cancel_backend' => sub { kill('INT', $_[0]->pid); $_[0]->result; });

# After any of these: the old version or the new one, and the log that belongs to it; the answer is the table's; and the next
# sync works. Answers "old" or "new".
sub check_after
{
	my ($what, $version, $pending) = @_;
	my ($version_now, $pending_now) = split /\|/, state_now();
	my $outcome = $version_now == $version ? 'old' : 'new';

	is("$version_now $pending_now", $outcome eq 'old' ? "$version $pending" : ($version + 1) . ' 0',
		"$what: the $outcome version, and the log that belongs to it");
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', "$what: the query equals the table");
	return $outcome;
}

sub check_sync
{
	my ($what) = @_;
	my ($version) = split /\|/, state_now();
	my $synced = $node->safe_psql($db, q{SELECT version FROM s3v_sync('docs')});

	cmp_ok($synced, '>=', $version, "$what: the next sync works");
	is(state_now(), "$synced|0", "$what: and leaves nothing pending");
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', "$what: its version equals the table");
	return;
}

# ---- at every request of a sync, before and after its effect ----

change_rows();
$proxy->requests;
my $started = time;
$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs')});
my $duration = time - $started;
my @requests = $proxy->requests;
note(sprintf 'a sync takes %.2f s and %d requests', $duration, scalar @requests);
cmp_ok(scalar(@requests), '>=', 7, 'a sync has a request for each of claim, segment, base, delta, manifest, and looks again');

sub what_is
{
	my ($request) = @_;
	my ($kind) = $request->{path} =~ m{/(owner|manifest|nav|segment)/};

	return $request->{verb} . ' ' . ($kind // 'list');
}

foreach my $n (1 .. @requests)
{
	foreach my $when ('before', 'after')
	{
		my ($how) = $when eq 'before' ? ($n % 2 ? 'kill -9' : 'pg_cancel_backend') : ($n % 3 == 0 ? 'immediate stop' : $n % 3 == 1 ? 'kill -9' : 'pg_terminate_backend');
		my $pending = change_rows();
		my ($version) = split /\|/, state_now();
		my $session = session($node, $db);

		$proxy->rules("nth=$n,fault=" . ($when eq 'before' ? 'stall' : 'stall_after'));
		$session->send(q{SELECT * FROM s3v_sync('docs')});
		wait_until("request $n is held", sub { $proxy->hits == 1 || !$session->is_busy });
		my $what = "$how $when request $n, " . what_is($requests[ $n - 1 ]);
		is($proxy->hits, 1, "$what: the sync was in its middle");
		$ends{$how}->($session);
		$session->quit;
		$proxy->rules;
		is(check_after($what, $version, $pending), 'old', "$what: the old version");
		# Not each time: attempts that failed in a row are recognised as ours as well.
		check_sync($what) if $n % 2 == 0 && $when eq 'after';
	}
}
check_sync('after them all');

# ---- at random moments ----

my %outcomes = (old => 0, new => 0);
foreach my $i (1 .. 8)
{
	my $how = $i % 2 ? 'kill -9' : 'immediate stop';
	my $pending = change_rows();
	my ($version) = split /\|/, state_now();
	my $session = session($node, $db);
	my $watcher = session($node, $db);

	$session->send(q{SELECT * FROM s3v_sync('docs')});
	wait_until('s3v_progress shows the sync', sub {
			$watcher->must('SELECT count(*) FROM s3v_progress WHERE pid = ' . $session->pid) eq '1' || !$session->is_busy });
	sleep(rand(1.1 * $duration));
	my $phase = $watcher->must('SELECT phase FROM s3v_progress');
	$phase = $session->is_busy ? 'publishing' : 'done' if $phase eq '';
	$ends{$how}->($session);
	$_->quit foreach $session, $watcher;
	$outcomes{ check_after("$how in phase \"$phase\"", $version, $pending) }++;
	check_sync("$how in phase \"$phase\"");
}
note("$outcomes{old} times the old version, $outcomes{new} times the new one");

# Starts a sync that is held at its fifth request.
sub sync_in_its_middle
{
	my $session = session($node, $db);

	$proxy->rules('nth=5,fault=stall_after');
	$session->send(q{SELECT * FROM s3v_sync('docs')});
	wait_until('the request is held', sub { $proxy->hits == 1 });
	return $session;
}

# ---- the postmaster itself, whose backends linger ----

{
	change_rows();
	my $session = sync_in_its_middle();
	chomp(my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0]);
	$node->kill9;
	$proxy->rules;
	$session->result;
	$session->quit;
	wait_until('the postmaster is gone', sub { !kill(0, $postmaster) });
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
my ($manifest, $base, $deltas, $segments) =
  split /\|/, $node->safe_psql($db, q{SELECT manifest, base, array_to_string(deltas, ','), segments FROM s3v.version});

is(scalar(@gone), $deleted, 's3v_gc deleted what it says');
cmp_ok($deleted, '>', 0, "$deleted orphans and objects of old versions went");
is(scalar(grep { !m{^\Q$prefix/$uuid\E/(owner|manifest|nav|segment)/} } @gone), 0, 'all of them below the index\'s own prefix');
is_deeply([ grep { m{/(manifest|nav)/} } @after ],
	[ sort "$prefix/$uuid/manifest/$manifest", map { "$prefix/$uuid/nav/$_" } $base, split(/,/, $deltas) ],
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
	my $hits = q{SELECT string_agg(key, ',' ORDER BY distance) FROM s3v_query('docs_s3v', test_vector(77, 64, 50), 20, options => '{"probes": 100000}')};
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
