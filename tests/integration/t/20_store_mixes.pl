# A store that fails at random, for as long as S3V_FAULT_SECONDS says: twelve rules with 200 queries each, and two mixes of faults with
# writers, readers, syncs and clean-ups at the same time. No answer differs from the table's, what fails says why, no name on the store
# ever gets other bytes, and nothing that a kept version names is deleted (A1, A4, A5, A7, A13; O1, O5).
use strict;
use warnings;

use S3vTest;
use S3vTest::Proxy;
use S3vTest::StoreOracle qw(store_faults);
use Test::More;
use Time::HiRes qw(time sleep);

use constant { DIMS => 8, QUERIES => 200, SESSIONS => 4 };

my $direct = require_s3();
my $s3 = S3vTest::Proxy->before($direct);
my $proxy = $s3->{proxy};
my $prefix = "it-mixes-$$";
my $seconds = $ENV{S3V_FAULT_SECONDS} // 0;
my $node = new_cluster('mixes', conf => "s3v.request_timeout = '30s'\n");
my $db = 'postgres';

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
foreach my $table ('still', 'moving')
{
	make_table($node, $db, $table, rows => 300, dims => DIMS, clusters => 20);
	$node->safe_psql($db, qq{SELECT s3v_create_index('${table}_s3v', '$table', 'embedding', server => 'lake', metadata => '{category}',
		options => '{"lists": 12}')});
}

# What `rounds` queries said: right, wrong, and the SQLSTATEs of those that failed. Each compares the whole index with its table, as one
# snapshot sees them.
$node->safe_psql(
	$db, q{
	CREATE TABLE control (stop bool);
	CREATE FUNCTION ask_often(index regclass, source regclass, rounds int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		good int := 0;
		wrong int := 0;
		failed text := '';
	BEGIN
		FOR i IN 1 .. rounds LOOP
			BEGIN
				IF test_differences(index, source, test_vector(i, 8, 20)) = 0 THEN
					good := good + 1;
				ELSE
					wrong := wrong + 1;
				END IF;
			EXCEPTION WHEN OTHERS THEN
				failed := failed || ' ' || SQLSTATE;
			END;
		END LOOP;
		RETURN good || ' ' || wrong || failed;
	END $$;

	-- One writer: changes of all kinds, each its own transaction, on ids that no other writer touches.
	CREATE PROCEDURE churn(me int, writers int) LANGUAGE plpgsql AS $$
	DECLARE
		id_now int;
	BEGIN
		PERFORM setseed(me / 100.0);
		WHILE NOT EXISTS (SELECT FROM control WHERE stop) LOOP
			id_now := 1 + writers * floor(random() * 200) + me;
			CASE floor(random() * 4)
				WHEN 0 THEN DELETE FROM moving WHERE id = id_now;
				WHEN 1 THEN UPDATE moving SET price = price + 1 WHERE id = id_now;
				ELSE INSERT INTO moving VALUES (id_now, 'new', 1, true, test_vector(id_now * 3 + 1, 8, 20))
					ON CONFLICT (id) DO UPDATE SET embedding = test_vector(id_now * 7 + 2, 8, 20);
			END CASE;
			COMMIT;
			PERFORM pg_sleep(0.02);
		END LOOP;
	END $$});

# What sessions answer that were sent ask_often(): right, wrong, and a hash of how often each SQLSTATE came.
sub counted
{
	my (@sessions) = @_;
	my ($right, $wrong, %states) = (0, 0);

	foreach my $session (@sessions)
	{
		my ($good, $bad, @failed) = split / /, $session->result->{out};
		$right += $good;
		$wrong += $bad;
		$states{$_}++ foreach @failed;
		$session->quit;
	}
	return ($right, $wrong, \%states);
}

sub told { my ($states) = @_; return join(', ', map { "$states->{$_} x $_" } sort keys %$states) || 'none'; }

# ---- twelve rules, 200 queries each ------------------------------------------------------------------------------------------

my @rules = (
	'chance=0.2,fault=503', 'chance=0.2,fault=500', 'chance=0.2,fault=429', 'chance=0.15,fault=reset', 'chance=0.15,fault=reset_after',
	'chance=0.1,fault=cut,at=0', 'chance=0.1,fault=cut,at=-1', 'chance=0.1,fault=flip,at=7', 'chance=0.1,fault=head,kind=no_length',
	'chance=0.1,fault=swap', 'chance=0.2,fault=delay,ms=60', 'chance=0.2,fault=close,ms=30');
my ($asked, $right, $met) = (0, 0, 0);
foreach my $rule (@rules)
{
	# New sessions: each reads the navigation tier as well. Several at once, for most of the time is waiting for the next try.
	my @sessions = map { session($node, $db) } 1 .. SESSIONS;
	my $then = time;
	$proxy->rules($rule);
	$_->send("SELECT ask_often('still_s3v', 'still', " . QUERIES / SESSIONS . ')') foreach @sessions;
	my ($good, $wrong, $states) = counted(@sessions);
	my $hits = $proxy->hits;
	$proxy->rules;
	note(sprintf '%-34s %d right, %d wrong, failed: %s; %d of %d requests met it, %.1f s', $rule, $good, $wrong, told($states), $hits,
		scalar($proxy->requests), time - $then);
	is($wrong, 0, "$rule: no wrong answer");
	is_deeply([ grep { !/^(08006|XX001)$/ } keys %$states ], [], "$rule: what fails says that the store does not answer");
	cmp_ok($good, '>=', QUERIES * 0.95, "$rule: $good of " . QUERIES . ' are answered');
	cmp_ok($hits, '>=', 10, "$rule: although $hits requests met it");
	$asked += QUERIES;
	$right += $good;
	$met += $hits;
}
note("rules: " . @rules . " x " . QUERIES . " queries, $met requests hit, $right of $asked answered, 0 wrong");

# ---- everything at once -------------------------------------------------------------------------------------------------------

# Rules that hit with these chances in all: each is asked only what those before it left over.
sub mix
{
	my (@parts) = @_;
	my ($left, @mixed) = (1);

	while (my ($chance, $rule) = splice(@parts, 0, 2))
	{
		push @mixed, sprintf('chance=%.4f,%s', $chance / $left, $rule);
		$left -= $chance;
	}
	return @mixed;
}

# The whole of it only when it is to go on for long: a request that waits 3 s in every third case makes a slow minute, and few queries.
my ($delay, $close, $batch) = $seconds ? (3000, 1000, 5) : (30, 20, 25);
my %mixes = (
	'10 % 503, 5 % 429, 5 % 500, and 10 % of the writes done but answered 500' => [ mix(0.10 => 'fault=503', 0.05 => 'fault=429', 0.05 => 'fault=500'),
		'verb=PUT,chance=0.1,fault=after500' ],
	'15 % reset, 30 % slow close, 35 % late, 10 % 503, 5 % 429' => [
		mix(0.15 => 'fault=reset', 0.30 => "fault=close,ms=$close", 0.35 => "fault=delay,ms=$delay", 0.10 => 'fault=503', 0.05 => 'fault=429') ]);
my $deleted_before = store_faults($node, $db, $direct, $proxy, $prefix)->{deletes};
foreach my $mix (sort keys %mixes)
{
	my (%count, %syncs, %cleanups);
	my $then = time;

	$node->safe_psql($db, 'TRUNCATE control');
	my @writers = map { session($node, $db)->send("CALL churn($_, 2)") } 0, 1;
	$proxy->requests;
	$proxy->rules(@{ $mixes{$mix} });
	for (my $round = 0; $round < 6 || time - $then < $seconds; $round++)
	{
		# Two readers, one sync and, now and then, a clean-up of all that is no longer needed.
		my $work = $round % 3 == 2 ? q{SELECT sum(deleted) FROM s3v_gc('lake', keep => '0')} : q{SELECT * FROM s3v_sync('moving')};
		my @readers = map { session($node, $db)->send("SELECT ask_often('moving_s3v', 'moving', $batch)") } 1, 2;
		my $worker = session($node, $db);
		my $done = $worker->query($work);
		$done = $worker->query($work) if $done->{state} eq '';
		($round % 3 == 2 ? \%cleanups : \%syncs)->{ $done->{state} || 'done' }++;
		note("$done->{err}") if $done->{state};
		my ($good, $wrong, $states) = counted(@readers);
		$count{right} += $good;
		$count{wrong} += $wrong;
		$count{failed}{$_} += $states->{$_} foreach keys %$states;
		$worker->quit;
		$_->wait_longer foreach @writers;
	}
	my $hits = $proxy->hits;
	$proxy->rules;
	my @requests = $proxy->requests;
	$node->safe_psql($db, 'INSERT INTO control VALUES (true)');
	is($_->result->{state}, '', "$mix: a writer was never disturbed") foreach @writers;
	$_->quit foreach @writers;

	my $failed = 0;
	$failed += $_ foreach values %{ $count{failed} };
	note(sprintf '%s: %.0f s, %d requests of which %d met a fault; queries: %d right, %d wrong, failed: %s; syncs: %s; clean-ups: %s',
		$mix, time - $then, scalar(@requests), $hits, $count{right}, $count{wrong}, told($count{failed} // {}), told(\%syncs), told(\%cleanups));
	is($count{wrong}, 0, "$mix: of $count{right} queries none was wrong");
	is_deeply([ grep { $_ ne '08006' } keys %{ $count{failed} } ], [], "$mix: what fails says that the store does not answer");
	cmp_ok($failed, '<=', 0.03 * ($count{right} + $failed) + 1, "$mix: $failed queries failed");
	cmp_ok($syncs{done} // 0, '>=', 2, "$mix: syncs come through");
	is($node->psql($db, q{SELECT * FROM s3v_sync('moving')}), 0, "$mix: afterwards a sync works");
	is(differences($node, $db, 'moving_s3v', 'moving', DIMS), '0', "$mix: its version equals the table");
	is($node->safe_psql($db, q{SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('moving')}), '0|0|0|0|0', "$mix: and s3v_check finds nothing");
	is($node->psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')}), 0, "$mix: and a clean-up works");
	my $faults = store_faults($node, $db, $direct, $proxy, $prefix);
	note("so far $faults->{puts} objects written, $faults->{repeats} of them again, $faults->{deletes} deleted; kept versions name $faults->{named}");
	is_deeply($faults->{rewritten}, [], "$mix: no name got other bytes");
	is_deeply($faults->{deleted}, [], "$mix: nothing was deleted that a kept version names");
	is_deeply($faults->{missing}, [], "$mix: nor is anything of it missing");
	cmp_ok($faults->{deletes} - $deleted_before, '>=', 3, "$mix: clean-ups deleted something");
	$deleted_before = $faults->{deletes};
	my @left = grep { !m{/owner/} } objects($direct, "$prefix/");
	is(scalar(@left), $faults->{named}, "$mix: and leave exactly what kept versions name");
}
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
