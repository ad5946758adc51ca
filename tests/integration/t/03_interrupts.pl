# Every wait for the store ends at once when PostgreSQL wants it to: with radosgw frozen (SIGSTOP), and while a name look-up
# hangs. The SQLSTATE is the server's own, the session goes on, nothing leaks.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;
use Time::HiRes qw(time sleep);

use constant AT_ONCE_MS => 1000;

require_s3();
my $s3 = own_radosgw();
my $db = 'postgres';
my $query = q{SELECT count(*) FROM s3v_query('docs_s3v', test_vector(5, 32, 20), 5)};

sub cluster_with_index
{
	my ($name, $conf) = @_;
	my $node = new_cluster($name, conf => $conf);

	$node->safe_psql($db, server_sql('lake', $s3, prefix => "it-interrupts-$name-$$"));
	make_table($node, $db, 'docs', rows => 2000);
	$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});
	return $node;
}

my $node = cluster_with_index('frozen', "client_connection_check_interval = '100ms'\n");
my $watcher = session($node, $db);

sub freeze
{
	kill('STOP', $s3->{pid}) or die "cannot stop radosgw";
	# Its threads stop one by one.
	wait_until('radosgw stands still', sub { !grep { slurp_file($_) !~ /^\d+ \(.*\) [Tt] /s } glob("/proc/$s3->{pid}/task/*/stat") }, 5);
	return;
}
sub thaw   { kill('CONT', $s3->{pid}) or die "cannot continue radosgw"; return; }

# Sends a statement and comes back when its backend has waited for the store for a while.
sub send_and_wait
{
	my ($session, $sql) = @_;

	$session->send($sql);
	sleep(0.3);
	die "it did not wait: " . $session->result->{err} unless $session->is_busy;
	return;
}

sub ms_since { return (time - $_[0]) * 1000; }

# ---- cancel, statement_timeout, terminate; query, sync, create ----

my %statements = (
	query => $query,
	sync => q{SELECT * FROM s3v_sync('docs')},
	create => q{SELECT s3v_create_index('other_s3v', 'docs', 'embedding', server => 'lake')},
	gc => q{SELECT * FROM s3v_gc('lake')},
	adopt => q{SELECT s3v_adopt('docs_s3v')});

$node->safe_psql($db, q{UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id < 50});
foreach my $what (sort keys %statements)
{
	my $session = session($node, $db);
	$session->must($query);
	freeze();
	send_and_wait($session, $statements{$what});
	my $then = time;
	$watcher->must('SELECT pg_cancel_backend(' . $session->pid . ')');
	my $answer = $session->result;
	my $ms = ms_since($then);
	is($answer->{state}, '57014', "$what, cancelled: the server's own SQLSTATE");
	like($answer->{err}, qr/canceling statement due to user request/, "$what, cancelled: the server's own words");
	cmp_ok($ms, '<', AT_ONCE_MS, sprintf('%s, cancelled: after %.0f ms', $what, $ms));

	$session->must("SET statement_timeout = '400ms'");
	$answer = $session->query($statements{$what});
	is($answer->{state}, '57014', "$what, statement_timeout");
	like($answer->{err}, qr/due to statement timeout/, "$what, statement_timeout: the server's own words");
	cmp_ok($answer->{ms}, '<', 400 + AT_ONCE_MS, sprintf('%s, statement_timeout: after %.0f ms', $what, $answer->{ms}));

	$session->must('SET statement_timeout = 0');
	send_and_wait($session, $statements{$what});
	$then = time;
	$watcher->must('SELECT pg_terminate_backend(' . $session->pid . ')');
	$answer = $session->result;
	$ms = ms_since($then);
	is("$answer->{state} $answer->{alive}", '57P01 0', "$what, terminated");
	cmp_ok($ms, '<', AT_ONCE_MS, sprintf('%s, terminated: after %.0f ms', $what, $ms));
	thaw();
	$session->quit;
}
if ($node->pg_version >= 17)
{
	my $session = session($node, $db);
	$session->must($query);
	$session->must("SET transaction_timeout = '400ms'");
	freeze();
	my $answer = $session->query($query);
	thaw();
	is("$answer->{state} $answer->{alive}", '25P04 0', 'query, transaction_timeout: the session ends');
	cmp_ok($answer->{ms}, '<', 400 + AT_ONCE_MS, sprintf('query, transaction_timeout: after %.0f ms', $answer->{ms}));
	$session->quit;
}
is($watcher->must(q{SELECT count(*) FROM s3v_indexes}), '1', 'a cancelled s3v_create_index leaves no index');
is($watcher->must(q{SELECT count(*) FROM pg_class WHERE relname = 'other_s3v'}), '0', 'and no foreign table');

# ---- the session goes on, and holds what it held ----

{
	my $session = session($node, $db);
	# What the first error costs is not a leak.
	foreach (1 .. 3)
	{
		$session->must($query);
		freeze();
		send_and_wait($session, $query);
		kill('INT', $session->pid);
		$session->result;
		thaw();
	}
	$session->must($query);
	$session->contexts;
	my $descriptors = $session->descriptors;
	my $contexts = $session->contexts;
	my @states;
	foreach (1 .. 8)
	{
		freeze();
		send_and_wait($session, $_ % 2 ? $query : $statements{sync});
		kill('INT', $session->pid);
		push @states, $session->result->{state};
		thaw();
		push @states, $session->must($query);
	}
	is("@states", '57014 5 ' x 7 . '57014 5', 'eight cancelled calls, and each time the next query answers');
	my $after = $session->contexts;
	cmp_ok($session->descriptors, '<=', $descriptors, 'as many descriptors as before');
	is($after->{names}, '', 'no memory context of a call is left');
	cmp_ok($after->{bytes} - $contexts->{bytes}, '<=', 65536, "memory contexts: $contexts->{bytes} bytes before, $after->{bytes} after");

	freeze();
	send_and_wait($session, "BEGIN; SAVEPOINT s; $query");
	kill('INT', $session->pid);
	$session->result;
	thaw();
	is($session->query("ROLLBACK TO s; $query; COMMIT")->{out}, '5', 'a cancelled query, rolled back to a savepoint: the transaction goes on');
	$session->quit;
}

# ---- in the middle of a sync's uploads ----

make_table($node, $db, 'many', rows => 20000, dims => 64, clusters => 60);
foreach my $phase ('reading', 'training', 'assigning', 'writing')
{
	my $session = session($node, $db);
	my $then;

	# A busy machine may let a phase, or the whole build, pass unseen: then once more.
	foreach (1 .. 20)
	{
		my $seen = '';
		$session->send(q{SELECT s3v_create_index('many_s3v', 'many', 'embedding', server => 'lake')});
		$seen = $watcher->must('SELECT phase FROM s3v_progress WHERE pid = ' . $session->pid) while $seen ne $phase && $session->is_busy;
		# Frozen, it cannot be done before it is cancelled.
		freeze();
		$then = time;
		last if $seen eq $phase && $session->is_busy && kill('INT', $session->pid);
		thaw();
		my $built = $session->result;
		$watcher->must('DROP FOREIGN TABLE many_s3v') unless $built->{state};
	}
	my $answer = $session->result;
	my $ms = ms_since($then);
	thaw();
	is($answer->{state}, '57014', "a build, cancelled while $phase");
	cmp_ok($ms, '<', AT_ONCE_MS, sprintf('a build, cancelled while %s: after %.0f ms', $phase, $ms));
	is($watcher->must('SELECT count(*) FROM s3v_progress'), '0', "a build, cancelled while $phase: s3v_progress is empty again");
	$session->quit;
}
is($watcher->must(q{SELECT s3v_create_index('many_s3v', 'many', 'embedding', server => 'lake')}), 'many_s3v', 'the same, undisturbed');

# ---- a client that goes away ----

{
	my $session = session($node, $db);
	freeze();
	send_and_wait($session, $query);
	my $then = time;
	$session->{psql}->{run}->kill_kill;
	wait_until('the backend ends', sub { !-d '/proc/' . $session->pid }, 5);
	my $ms = ms_since($then);
	thaw();
	# Else it would go on for as long as the proxy is frozen.
	cmp_ok($ms, '<', 4 * AT_ONCE_MS, sprintf('the client is gone: the backend, too, after %.0f ms', $ms));
}
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');
$watcher->quit;

# ---- shutdown ----

{
	my $session = session($node, $db);
	freeze();
	send_and_wait($session, $query);
	my $then = time;
	$node->stop('fast');
	my $ms = ms_since($then);
	my $answer = $session->result;
	thaw();
	is("$answer->{state} $answer->{alive}", '57P01 0', 'fast shutdown: the session ends with the server\'s SQLSTATE');
	cmp_ok($ms, '<', AT_ONCE_MS, sprintf('fast shutdown: the server is down after %.0f ms', $ms));

	$node->start;
	$session = session($node, $db);
	freeze();
	send_and_wait($session, $query);
	system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'smart', '-W', 'stop');
	sleep(0.3);
	ok($session->is_busy, 'smart shutdown waits for the session, as PostgreSQL promises');
	$then = time;
	kill('INT', $session->pid);
	$answer = $session->result;
	is($answer->{state}, '57014', 'which can still be cancelled');
	cmp_ok(ms_since($then), '<', AT_ONCE_MS, 'at once');
	$then = time;
	$session->quit;
	wait_until('the server is down', sub { !-f $node->data_dir . '/postmaster.pid' }, 10);
	cmp_ok(ms_since($then), '<', AT_ONCE_MS, 'and then the server is down');
	thaw();
	$node->_update_pid(0);
}

# ---- a name look-up that hangs ----

my $library = slow_lookup(4);
{
	local $ENV{LD_PRELOAD} = $library;
	$node->start;
}
$node->safe_psql($db, server_sql('nowhere', $s3, prefix => 'p', endpoint => 'http://slow.example:80', options => q{, allow_http 'true'}));
$node->safe_psql($db, q{SELECT s3v_create_index('nowhere_s3v', 'docs', 'embedding', server => 'nowhere', options => '{"build": false}')});
$watcher = session($node, $db);
{
	my $session = session($node, $db);
	my $sync = q{SELECT * FROM s3v_sync('docs', 'rebuild')};

	$session->must($query);
	$node->safe_psql($db, q{DROP FOREIGN TABLE docs_s3v});
	my $descriptors;
	foreach my $cause ('cancelled', 'cancelled again', 'and again')
	{
		send_and_wait($session, $sync);
		my $then = time;
		$watcher->must('SELECT pg_cancel_backend(' . $session->pid . ')');
		my $answer = $session->result;
		my $ms = ms_since($then);
		is($answer->{state}, '57014', "a name look-up that hangs, $cause");
		cmp_ok($ms, '<', AT_ONCE_MS, sprintf('%s: after %.0f ms', $cause, $ms));
		# Until the look-up ends by itself, a thread of libcurl waits for it, with a pair of sockets.
		sleep(4.5) if $cause eq 'cancelled';
		$descriptors //= $session->descriptors;
	}
	is($session->must('SELECT 1'), '1', 'the session goes on');
	wait_until('the look-ups have ended', sub { $session->descriptors <= $descriptors }, 30);
	pass('and holds as many descriptors as before');
	$session->must("SET statement_timeout = '300ms'");
	my $answer = $session->query($sync);
	is($answer->{state}, '57014', 'a name look-up that hangs, statement_timeout');
	cmp_ok($answer->{ms}, '<', 300 + AT_ONCE_MS, sprintf('after %.0f ms', $answer->{ms}));
	$session->must('SET statement_timeout = 0');
	send_and_wait($session, $sync);
	my $then = time;
	$watcher->must('SELECT pg_terminate_backend(' . $session->pid . ')');
	$answer = $session->result;
	is("$answer->{state} $answer->{alive}", '57P01 0', 'a name look-up that hangs, terminated');
	wait_until('the backend is gone', sub { !-d '/proc/' . $session->pid }, 5);
	cmp_ok(ms_since($then), '<', AT_ONCE_MS, 'and the process is gone at once');
}
$watcher->quit;
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
