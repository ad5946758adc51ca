# What others do while an operation stands still at a named point: clean-up (C8), syncs under a query (M2), DDL on the source (F4), the
# end of the postmaster, and its end again while it recovers (C10, C11), a commit that may be lost (C5), and failures in a row.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::FaultPoints;
use S3vTest::World;
use Test::More;
use Time::HiRes qw(sleep);

my $db = 'postgres';
# A WAL writer that is late: else a commit that nobody waits for is hardly ever lost.
my $node = new_cluster('schedules', fault_points => 1, conf => "max_connections = 60\nrestart_after_crash = on\nwal_writer_delay = '10s'\n");
S3vTest::World::prepare_database($node, $db);
my $other = session($node, $db);

sub world_at
{
	my ($operation, $point, $nth) = @_;
	my $world = S3vTest::World->new($node, $db, 200);

	$world->get_ready($operation);
	my $session = session_at($node, $db, $point, $nth // 1, $world->statement($operation));
	ok(0, "$operation gets to $point: " . $session->result->{err}) unless is_at($node, $session, $point);
	return ($world, $session);
}

sub is_fine
{
	my ($world, $operation, $outcome, $what) = @_;

	is($world->recover($operation, $outcome), '', "$what: everything is as it should be");
	return;
}

sub is_stopped { return slurp_file('/proc/' . $_[0]->pid . '/stat') =~ /\) T /; }

# ---- C8: a process that stands still for longer than any grace ----

foreach my $operation ('changes', 'rebuild', 'create')
{
	my $world = S3vTest::World->new($node, $db, 200);
	$world->get_ready($operation);
	my $session = session($node, $db);
	$session->must("SET s3v.fault_points = 'sync.objects_done=stop'");
	$session->send($world->statement($operation));
	wait_until("$operation is stopped", sub { is_stopped($session) });
	my $objects = $world->stored;
	sleep(1.1);
	$other->must("SET lock_timeout = '300ms'");
	my $answer = $other->query($world->sql(q{SELECT * FROM s3v_gc('srv', keep => '0')}));
	like("$answer->{state} $answer->{err}", qr/^55P03|a sync holds it/, "C8 $operation, stopped with its objects written: s3v_gc waits or leaves it alone");
	is($world->stored, $objects, "C8 $operation: and deletes nothing");
	$other->must('RESET lock_timeout');
	kill('CONT', $session->pid);
	is($session->result->{state}, '', "C8 $operation: goes on and commits");
	$session->quit;
	is($world->outcome($operation), 'after', "C8 $operation: the new version");
	is_fine($world, $operation, 'after', "C8 $operation");
}

# ---- M2: syncs and clean-ups under a query ----

foreach my $point (qw(query.snapshot query.pointer_read query.log_read query.navigation_read query.merged))
{
	my $world = S3vTest::World->new($node, $db, 300);
	my $all = $world->sql(q{SELECT string_agg(key, ',' ORDER BY key), count(*) FROM s3v_query('t_s3v', test_vector(5, 16, 12), 10000,
		options => '{"probes": 100000, "on_missing": "error"}')});
	$world->change_rows;
	my $expected = $world->run(q{SELECT string_agg(id::text, ',' ORDER BY id::text), count(*) FROM t});
	my $session = session_at($node, $db, $point, 1, $all);
	ok(is_at($node, $session, $point), "M2: a query waits at $point");
	foreach (1 .. 2)
	{
		$world->run(q{SELECT * FROM s3v_sync('t'); SELECT * FROM s3v_gc('srv', keep => '0')});
		$world->change_rows;
	}
	$world->run(q{SELECT * FROM s3v_sync('t', 'rebuild'); SELECT * FROM s3v_gc('srv', keep => '0')});
	my $answer = let_go($node, $session, $point)->result;
	is($answer->{out}, $expected, "M2: two syncs, a rebuild and three clean-ups later, its answer is that of its snapshot");
	is($answer->{err}, '', 'M2: by the index, without a word');
	$session->quit;
	is($world->left_on_store, '', 'M2: afterwards a clean-up takes what it held back');
}

# ---- F4: DDL on the source ----

my %ddl = (
	'DROP TABLE' => 'DROP TABLE t',
	'TRUNCATE' => 'TRUNCATE t',
	'VACUUM FULL' => 'VACUUM FULL t',
	'CLUSTER' => 'CLUSTER t USING t_pkey',
	'ALTER TABLE with a rewrite' => 'ALTER TABLE t ALTER category TYPE char(20)',
	'DROP FOREIGN TABLE' => 'DROP FOREIGN TABLE t_s3v');

foreach my $name (sort keys %ddl)
{
	foreach my $at ([ 'changes', 'sync.locked' ], [ 'changes', 'sync.claimed' ], [ 'rebuild', 'sync.objects_done' ], [ 'reconcile', 'sync.pre_commit' ])
	{
		my ($world, $session) = world_at(@$at);
		my $what = "F4 $name while a sync ($at->[0]) is at $at->[1]";
		my $impatient = $other->query($world->sql("SET lock_timeout = '100ms'; $ddl{$name}"));
		like($impatient->{state}, qr/^(55P03)?$/, "$what: a clean error, or none");
		$other->must('RESET lock_timeout');
		$other->send($world->sql($ddl{$name})) if $impatient->{state} ne '';
		my $synced = let_go($node, $session, $at->[1])->result;
		my $changed = $impatient->{state} ne '' ? $other->result : $impatient;
		is("$synced->{state}, $changed->{state}", ', ', "$what: both get through") or diag("$synced->{err} $changed->{err}");
		$session->quit;
		if ($world->is_absent('t_s3v'))
		{
			is($world->state, 'absent; 0 triggers, 0 rows of bookkeeping, 0 logs', "$what: nothing is left");
			is($world->left_on_store, '', "$what: and nothing on the store");
			next;
		}
		is($world->query(q{SELECT * FROM s3v_sync('t', 'reconcile')})->{state}, '', "$what: the next reconcile works");
		like($world->state, qr/pending 0; 0 differ, 0 twice; missing 0, orphaned 0, stale 0, corrupt 0$/, "$what: its version is that of the table");
		is($world->left_on_store, '', "$what: and the store's");
	}
}

# ---- failures in a row: an attempt of which nobody knows that it got its marker is not forgotten over others ----

{
	my ($world, $session) = world_at('changes', 'sync.put_acked');
	kill_at_once($node, $session);
	S3vTest::World::end();
	my $failing = session($node, $db);
	foreach my $point ('sync.listed', 'sync.put_sent')
	{
		my %states;
		foreach (1 .. 12)
		{
			$failing->must("SET s3v.fault_points = '$point=error'");
			$states{ $failing->query($world->statement('changes'))->{state} }++;
		}
		is(join(' ', keys %states), '58030', "twelve syncs in a row that fail at $point");
	}
	$failing->quit;
	is_fine($world, 'changes', 'before', 'a death right after the marker was written, and two dozen failures before theirs');
	$other->quit;
	$other = session($node, $db);
}

# ---- C5: a commit that may be lost ----

my $lost = 0;
foreach my $round (1 .. 3)
{
	my @worlds = map { S3vTest::World->new($node, $db, 200) } 1 .. 4;
	$_->get_ready('changes') foreach @worlds;
	my @sessions = map { session($node, $db) } @worlds;
	$sessions[$_]->must('SET synchronous_commit = off; SET s3v.fault_points = \'sync.post_commit=wait\'') foreach 0 .. $#worlds;
	$sessions[$_]->send($worlds[$_]->statement('changes')) foreach 0 .. $#worlds;
	ok(is_at($node, $_, 'sync.post_commit'), 'C5: a sync is committed') foreach @sessions;
	$other->quit;
	S3vTest::World::end();
	stop_at_once($node, @sessions);
	my @outcomes = map { $_->outcome('changes') } @worlds;
	is(scalar(grep { /^(before|after)$/ } @outcomes), 4, "C5: without synchronous_commit, an immediate stop after the commit: @outcomes");
	$lost += grep { $_ eq 'before' } @outcomes;
	is_fine($worlds[$_], 'changes', $outcomes[$_], 'C5') foreach 0 .. $#worlds;
	$other = session($node, $db);
}
cmp_ok($lost, '>=', 1, "C5: $lost commits of 12 were lost");

# ---- C10, C11: the postmaster is killed, its backends linger; and again while it recovers ----

{
	my @at = ([ 'changes', 'sync.manifest_acked' ], [ 'rebuild', 'sync.pre_commit' ], [ 'create', 'create.triggers_made' ],
		[ 'changes', 'sync.post_commit' ], [ 'drop', 'drop.log_dropped' ], [ 'adopt', 'adopt.claimed' ]);
	my @worlds = map { S3vTest::World->new($node, $db, 200) } @at;
	$worlds[$_]->get_ready($at[$_][0]) foreach 0 .. $#at;
	# So that there is something to recover.
	$other->must('CREATE TABLE ballast AS SELECT i, repeat(i::text, 100) AS text FROM generate_series(1, 100000) i; UPDATE ballast SET i = -i');
	my @sessions = map { session_at($node, $db, $at[$_][1], 1, $worlds[$_]->statement($at[$_][0])) } 0 .. $#at;
	ok(is_at($node, $sessions[$_], $at[$_][1]), "C10: $at[$_][0] is at $at[$_][1]") foreach 0 .. $#at;
	$other->quit;
	S3vTest::World::end();
	$node->kill9;
	ok(!$node->start(fail_ok => 1), 'C10: the postmaster is killed; no other one starts while its backends linger');
	kill('KILL', $_->pid) foreach @sessions;
	$_->result foreach @sessions;
	$_->quit foreach @sessions;

	my ($first) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	wait_for_end($first);
	my $killed = 0;
	foreach my $attempt (1 .. 3)
	{
		my $from = -s $node->logfile;
		system_log('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-W', 'start');
		wait_until('recovery begins', sub { slurp_file($node->logfile, $from) =~ /redo starts/ });
		my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
		kill('KILL', $postmaster);
		wait_for_end($postmaster);
		my $log = slurp_file($node->logfile, $from);
		$killed++ if $log =~ /redo starts/ && $log !~ /redo done/;
	}
	# Those were started behind its back.
	$node->{_pid} = undef;
	cmp_ok($killed, '>=', 1, "C11: killed again $killed times while it recovered");
	wait_until('the server starts', sub { $node->start(fail_ok => 1) });
	foreach my $i (0 .. $#at)
	{
		my ($operation, $point) = @{ $at[$i] };
		my $outcome = $worlds[$i]->outcome($operation);
		is($outcome, $point =~ /post_commit/ ? 'after' : 'before', "C10, C11 $operation at $point: all of it or nothing");
		is_fine($worlds[$i], $operation, $outcome, "C10, C11 $operation at $point");
	}
}

# Of a server, whoever is their parent by now.
sub processes_in
{
	my ($directory) = @_;

	return grep { (readlink("$_/cwd") // '') eq $directory } glob('/proc/[0-9]*');
}

# Of a postmaster that was killed, and of all of its processes. Where nobody buries it, it stays a zombie, which PostgreSQL takes for a
# server that runs: then the file that names it has to go.
sub wait_for_end
{
	my ($pid) = @_;
	my $is_zombie = sub { open(my $file, '<', "/proc/$pid/stat") or return 0; return (<$file> // '') =~ /\) Z /; };

	wait_until('the postmaster and all of its processes are gone', sub { (!kill(0, $pid) || $is_zombie->()) && !processes_in($node->data_dir) });
	my $end = time + 5;
	sleep(0.01) while kill(0, $pid) && time < $end;
	unlink($node->data_dir . '/postmaster.pid') if kill(0, $pid);
	return;
}

S3vTest::World::end();
my $log = log_of($node);
unlike($log, qr/PANIC|leak|TRAP|assert/i, 'the log shows no panic, no leak and no assertion');
unlike($log, qr/terminated by signal (?!9\b)/, 'and no signal but ours');

done_testing();
