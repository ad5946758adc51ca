# The service has no versions, snapshots have: writers, syncs that commit, roll back, rebuild and repair, and readers of new and of held-open
# snapshots, all at once. Every answer is compared with an exact scan of the same snapshot. S3V_ORACLE_SECONDS makes it longer.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use S3vTest;
use S3vTest::Service;
use Test::More;
use Time::HiRes qw(time sleep);

my $db = 'postgres';
my $seconds = $ENV{S3V_ORACLE_SECONDS} // 15;
my $seed = $ENV{S3V_ORACLE_SEED} // 7;
my $service = S3vTest::Service->new('--latency-ms', '2');
my $node = new_cluster('main');

srand($seed);
note("seed $seed, $seconds seconds");
$node->safe_psql($db, $service->server_sql('aws'));
make_table($node, $db, 'docs', rows => 600, dims => 8);
$node->safe_psql($db, q{
	SELECT s3v_create_index('docs_aws', 'docs', 'embedding', server => 'aws', metadata => '{category,price}', options => '{"create_bucket": true}');
	-- The k nearest by the index and by the table, under the caller's snapshot: NULL when they are the same.
	CREATE FUNCTION compare(probe int, k int, filter jsonb, condition text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	DECLARE
		ours text;
		truth text;
	BEGIN
		SELECT string_agg(key || ' ' || round(distance::numeric, 9), ', ' ORDER BY distance, key::int) INTO ours
			FROM s3v_query('docs_aws', test_vector(probe, 8, 20), k, filter, options => '{"on_missing": "error"}');
		EXECUTE format('SELECT string_agg(id || '' '' || round(d::numeric, 9), '', '' ORDER BY d, id) FROM (SELECT id, test_cosine(embedding, $1) d
			FROM docs WHERE embedding IS NOT NULL AND %s ORDER BY d, id LIMIT $2) t', condition) INTO truth USING test_vector(probe, 8, 20), k;
		RETURN CASE WHEN ours IS DISTINCT FROM truth THEN format('probe %s, k %s, %s: index %s; table %s', probe, k, filter, ours, truth) END;
	END $$;
	CREATE FUNCTION compare_all() RETURNS text LANGUAGE sql STABLE AS $$
		SELECT string_agg(compare(p, k, filter::jsonb, condition), E'\n')
		FROM (VALUES (3, 10, NULL, 'true'), (11, 40, '{"category": "c1"}', 'category = ''c1'''), (17, 5, '{"price": {"$lt": 60}}', 'price < 60'),
			(8, 700, NULL, 'true')) v(p, k, filter, condition) $$});

sub change
{
	my $id = 1 + int(rand(700));
	my $what = rand();

	return "UPDATE docs SET embedding = test_vector($id + " . int(rand(50)) . ", 8, 20) WHERE id % 50 = " . $id % 50 if $what < 0.35;
	return "UPDATE docs SET price = " . int(rand(128)) . ", category = 'c" . int(rand(7)) . "' WHERE id BETWEEN $id AND $id + 9" if $what < 0.6;
	return "DELETE FROM docs WHERE id BETWEEN $id AND $id + 5" if $what < 0.8;
	return "INSERT INTO docs SELECT i, 'c' || i % 7, i % 128, true, test_vector(i + " . int(rand(9)) . ", 8, 20) FROM generate_series($id, $id + 9) i
		ON CONFLICT (id) DO UPDATE SET embedding = EXCLUDED.embedding" if $what < 0.97;
	return 'TRUNCATE docs';
}

# What a session does next: a list of statements, each sent when the one before is done.
sub write_some
{
	my @changes = map { change() } 1 .. 1 + int(rand(3));

	return ('BEGIN', @changes, rand() < 0.3 ? 'SELECT compare_all()' : 'SELECT 1', rand() < 0.2 ? 'ROLLBACK' : 'COMMIT');
}

sub sync_some
{
	my $what = rand();
	my $sync = $what < 0.6 ? q{SELECT * FROM s3v_sync('docs')} : $what < 0.75 ? q{SELECT * FROM s3v_sync('docs', options => '{"max_rows": 7}')}
		: $what < 0.85 ? q{SELECT * FROM s3v_sync('docs', 'reconcile')} : $what < 0.92 ? q{SELECT * FROM s3v_sync('docs', 'rebuild')}
		: q{SELECT * FROM s3v_gc('aws', '0')};

	return ('BEGIN', $sync, 'SELECT compare_all()', rand() < 0.2 ? "ROLLBACK" : "COMMIT") if rand() < 0.4;
	return ($sync, 'SELECT compare_all()');
}

sub read_now { return ('SELECT compare_all()'); }

sub read_old
{
	return ('BEGIN ISOLATION LEVEL REPEATABLE READ', map({ ('SELECT compare_all()', 'SELECT pg_sleep(0.05)') } 1 .. 2 + int(rand(6))), 'COMMIT');
}

my @sessions = map { { work => $_, session => session($node, $db), left => [] } }
	(\&write_some, \&write_some, \&sync_some, \&read_now, \&read_old, \&read_old);
my (%states, @wrong);
my ($compared, $syncs) = (0, 0);
my $end = time + $seconds;

while (1)
{
	my $busy = 0;

	foreach my $one (@sessions)
	{
		if ($one->{sent})
		{
			if ($one->{session}->is_busy) { $busy++; next; }
			my $answer = $one->{session}->result;

			if ($answer->{state} ne '')
			{
				$states{ $answer->{state} }++;
				push @wrong, "$one->{sent}: $answer->{err}" unless $answer->{state} =~ /^(40001|40P01|55000|23505)$/ || $answer->{state} eq '25P02';
			}
			elsif ($one->{sent} =~ /compare_all/)
			{
				$compared += 4;
				push @wrong, $answer->{out} if $answer->{out} ne '';
			}
			elsif ($one->{sent} =~ /s3v_sync/) { $syncs++; }
			$one->{sent} = undef;
		}
		if (!@{ $one->{left} } && time < $end) { @{ $one->{left} } = $one->{work}->(); }
		next unless @{ $one->{left} };
		$one->{sent} = shift @{ $one->{left} };
		$one->{session}->send($one->{sent});
		$busy++;
	}
	last if !$busy;
	last if @wrong > 5;
	sleep 0.002;
}

is(scalar(@wrong), 0, "every answer is that of the table") or diag(join("\n", @wrong[ 0 .. ($#wrong < 5 ? $#wrong : 5) ]));
cmp_ok($compared, '>', $seconds * 4, "$compared answers were compared, $syncs syncs ran, errors: " . join(', ', map { "$_ x $states{$_}" } sort keys %states));
my $last = session($node, $db);
$last->must(q{SELECT * FROM s3v_sync('docs')});
is($last->must('SELECT compare_all()'), '', 'in the end, too');
is($last->must(q{SELECT missing, orphaned, stale FROM s3v_check('docs')}), '0|0|0', 'nothing has drifted');
unlike(log_of($node), qr/TRAP|PANIC|terminated by signal/, 'no crash');
done_testing();
