# Every named point of every operation x {error, exit, kill -9, immediate stop}: afterwards everything is as it was before, or as if
# nothing had happened; a repeat succeeds, and so does the next sync; and a clean-up leaves on the store what the version names.
# S3V_POINTS_ROUNDS=N: N rounds, each with other rows, other syncs before, and other passings of points that are passed often.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::FaultPoints;
use S3vTest::World;
use Test::More;
use Time::HiRes qw(time);

my $db = 'postgres';
my $rounds = $ENV{S3V_POINTS_ROUNDS} // 1;
my $seed = $ENV{S3V_TEST_SEED} // 20261121;
my %tried;
my %walked;

# ---- the points are in this test's library alone ----

chomp(my $libraries = `pg_config --pkglibdir`);
my ($in_shim, $in_core) = points_of_sources();
cmp_ok(scalar(@$in_shim), '>=', 25, scalar(@$in_shim) . ' points in the shim, ' . scalar(@$in_core) . ' in the core');
foreach my $library ('s3v', 's3v_fault_points')
{
	my $content = slurp_file("$libraries/$library.so");
	# Words that are names of other things, too, prove nothing.
	my @telling = ('s3v.fault_points', grep { /[._]/ } @$in_shim, @$in_core);
	my @found = grep { index($content, "$_\0") >= 0 } @telling;
	is(scalar(@found), $library eq 's3v' ? 0 : @telling, "$library.so: " . ($library eq 's3v' ? 'no point' : 'every point') . ' is in it')
	  or diag("found: @found");
}

my $node = new_cluster('points', fault_points => 1, conf => "max_connections = 150\nrestart_after_crash = on\ns3v.cache_size = '8MB'\n");
S3vTest::World::prepare_database($node, $db);
is($node->safe_psql($db, q{SELECT count(*) FROM pg_proc WHERE probin = '$libdir/s3v'}), '0', 'this cluster runs the library with points');

# ---- which points an operation passes ----

# Once each, at their first and last passing; of those that a sync passes for each object, every one. What is in the cache already is
# known for queries alone.
sub cases_of
{
	my ($operation, @passed) = @_;
	my %last = map { @$_ } @passed;

	@passed = grep { $operation eq 'query' || $_->[0] ne 'cache.renamed' } @passed;
	return map { my ($point, $nth) = @$_; { operation => $operation, point => $point, nth => $nth } }
	  grep { $_->[1] == 1 || $_->[1] == $last{ $_->[0] } || ($operation eq 'changes' && $_->[0] =~ /put_/) || $rounds > 1 } @passed;
}

# Before the commit everything is as it was; after it nothing is. Operations that change nothing that shows may be either.
sub expected
{
	my ($case) = @_;

	return 'before' if !S3vTest::World->shows($case->{operation});
	return $case->{point} =~ /post_commit$/ ? 'after' : 'before';
}

# One test for all that has to be true after a death, so that the log of the tests stays readable.
sub check_world
{
	my ($world, $case, $how) = @_;
	my $outcome = $world->outcome($case->{operation});
	my $wrong = $outcome ne expected($case) ? "$outcome, not " . expected($case) : $world->recover($case->{operation}, $outcome);

	$tried{$how}++;
	$walked{ $case->{point} } = 1;
	return if $wrong eq '';
	fail("$case->{operation}, $how at $case->{point}, passing $case->{nth}");
	diag($wrong);
	return;
}

# ---- errors, and ends of the process by itself ----

# Nothing can fail after the commit any more, and a cache that cannot be written is no failure.
sub state_after
{
	my ($case, $action) = @_;

	return qr/^(57P01)?$/ if $case->{point} =~ /post_commit$/;
	return ($action eq 'error' && $case->{point} eq 'cache.renamed') ? qr/^$/
	  : $action eq 'error' ? qr/^(S3VFP|58030)$/ : qr/^(S3VFP|57P01)$/;
}

sub walk_quietly
{
	my ($world, $cases, $action) = @_;
	my $session;

	foreach my $case (@$cases)
	{
		next if $action eq 'error' && $case->{point} =~ /post_commit$/;
		$world->get_ready($case->{operation});
		$session //= session($node, $db);
		$session->must("SET s3v.fault_points = '$case->{point}=$action\@$case->{nth}'");
		my $answer = $session->query($world->statement($case->{operation}));
		my $state = state_after($case, $action);
		like($answer->{state}, $state, "$case->{operation}, $action at $case->{point}, passing $case->{nth}: $answer->{err}")
		  if $answer->{state} !~ $state;
		check_world($world, $action eq 'error' && $answer->{state} eq '' ? { %$case, point => 'post_commit' } : $case, $action);
		next if $action eq 'error' && $answer->{alive};
		$session->quit;
		$session = undef;
	}
	$session->quit if $session;
	return;
}

# ---- deaths of many at once ----

sub walk_by_death
{
	my ($how, @cases) = @_;
	my @worlds = map { S3vTest::World->new($node, $db, 100 + int(rand(120))) } @cases;
	my @sessions;

	# All of them first: once operations wait, views of all indexes may wait for them.
	$worlds[$_]->get_ready($cases[$_]{operation}) foreach 0 .. $#cases;
	S3vTest::World::end();
	foreach my $i (0 .. $#cases)
	{
		push @sessions, session_at($node, $db, $cases[$i]{point}, $cases[$i]{nth}, $worlds[$i]->statement($cases[$i]{operation}));
	}
	foreach my $i (0 .. $#cases)
	{
		next if is_at($node, $sessions[$i], $cases[$i]{point});
		fail("$cases[$i]{operation} passes $cases[$i]{point} for the $cases[$i]{nth}. time");
		diag($sessions[$i]->result->{err});
	}
	$how eq 'kill -9' ? kill_at_once($node, @sessions) : stop_at_once($node, @sessions);
	check_world($worlds[$_], $cases[$_], $how) foreach 0 .. $#cases;
	return;
}

use constant AT_ONCE => 40;

foreach my $round (1 .. $rounds)
{
	my @all;
	my $world;

	srand($seed + $round);
	note('round ' . $round . ', seed ' . ($seed + $round));
	foreach my $operation (S3vTest::World::operations($rounds > 1))
	{
		my $started = time;
		$world = S3vTest::World->new($node, $db, 100 + int(rand(120)));
		$world->get_ready($operation);
		my @cases = cases_of($operation, points_passed($node, $db, $world->statement($operation)));
		walk_quietly($world, \@cases, $_) foreach 'error', 'exit';
		push @all, @cases;
		pass(sprintf('%s: %d points; errors and ends of the process, %.1f s', $operation, scalar(@cases), time - $started));
	}
	foreach my $how ('kill -9', 'immediate stop')
	{
		my @left = @all;
		my $started = time;
		walk_by_death($how, splice(@left, 0, AT_ONCE)) while @left;
		pass(sprintf('%s at %d points, %.1f s', $how, scalar(@all), time - $started));
	}
}

S3vTest::World::end();

# ---- all points were met, and the log tells of nothing but our deaths ----

my %core_seen = map { /\.(\w+)$/ ? ($1 => 1) : () } keys %walked;
is(join(' ', grep { !$walked{$_} } @$in_shim), '', 'every point of the shim was walked');
is(join(' ', grep { !$walked{$_} && !$core_seen{$_} } @$in_core), '', 'and every point of the core');

my $log = log_of($node);
unlike($log, qr/PANIC|leak|TRAP|assert/i, 'the log shows no panic, no leak and no assertion');
my %signals;
$signals{$_}++ foreach $log =~ /terminated by signal (\d+)/g;
is(join(' ', sort keys %signals), '9', 'no signal ended a process but ours');
diag(join(', ', "crash points tried in $rounds rounds", map { "$_: $tried{$_}" } sort keys %tried));

done_testing();
