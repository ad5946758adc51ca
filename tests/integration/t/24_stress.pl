# Ten writers, a syncer that is cancelled now and then, a collector that keeps nothing, and four readers, two of them with snapshots that they hold: all at
# once, on two indexes of one table. Every answer is compared with the table under the same snapshot, and each second s3v_check compares everything. In the
# end the stores hold what the versions name, and no object was written twice. S3V_STRESS_SECONDS makes it longer.
use strict;
use warnings;

use List::Util qw(sum0);
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{S3V_STRESS_SECONDS} // 20;
my $seed = $ENV{S3V_STRESS_SEED} // 20261122;
my $s3 = S3vTest::Proxy->before(require_s3());
my $prefix = "it-stress-$$";
my $db = 'postgres';
my $node = new_cluster('stress', conf => "max_connections = 40\ns3v.cache_size = '64MB'\ndeadlock_timeout = '50ms'\n");

note("$seconds seconds, seed $seed");
$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));

# Distances of column v to (a, b, c, d) as the executor computes them.
my $l2 = 'sqrt(' . join(' + ', map { "(v[$_]::float8 - p[$_]) ^ 2" } 1 .. 4) . ')';
my $ip = '-(' . join(' + ', map { "v[$_]::float8 * p[$_]" } 1 .. 4) . ')';
$node->safe_psql(
	$db, qq{
	CREATE TABLE docs (id int PRIMARY KEY, kind int NOT NULL, note text, v real[]);
	CREATE TABLE wrong (id serial, at timestamptz DEFAULT clock_timestamp(), what text);
	CREATE FUNCTION vector(n int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
		\$\$ SELECT ARRAY[hashint4(n), hashint4(n + 1), hashint4(n + 2), hashint4(n + 3)]::float8[]::real[] \$\$;
	INSERT INTO docs SELECT i, i % 7, 'row', vector(i) FROM generate_series(1, 400) i;
	SELECT s3v_create_index('docs_lake', 'docs', 'v', server => 'lake', metric => 'ip', metadata => '{kind}', options => '{"lists": 8}'),
		s3v_create_index('docs_local', 'docs', 'v', metric => 'l2', metadata => '{kind}', options => '{"lists": 8}');

	-- What an index, all its lists read, says otherwise than the table, with a condition on the rows; NULL when nothing. And what a query for
	-- a few hits returns that is no row, twice, or elsewhere, or fewer than there are. Also the number of hits that were compared.
	CREATE FUNCTION compare(index regclass, p real[], kinds int, k int, OUT difference text, OUT hits bigint) LANGUAGE plpgsql STABLE AS \$\$
	DECLARE
		filter jsonb := CASE WHEN kinds < 7 THEN jsonb_build_object('kind', jsonb_build_object('\$lt', kinds)) END;
		missing bigint;
		extra bigint;
		there bigint;
		keys bigint;
	BEGIN
		SELECT count(h.key), count(DISTINCT h.key), count(*) FILTER (WHERE h.key IS NULL), count(*) FILTER (WHERE t.id IS NULL OR abs(h.distance - t.distance) > 1e-6 * (1 + abs(t.distance))), count(t.id)
			INTO hits, keys, missing, extra, there
			FROM s3v_query(index, p, k, filter, options => CASE WHEN k > 1000 THEN '{"probes": 1000000, "on_missing": "error"}' ELSE '{"on_missing": "error"}' END::jsonb) h
			FULL JOIN (SELECT id, CASE index WHEN 'docs_local'::regclass THEN $l2 ELSE $ip END AS distance FROM docs WHERE v IS NOT NULL AND kind < kinds) t ON t.id = h.key::int;
		IF extra > 0 OR keys < hits OR hits <> least(there, k) THEN
			difference := format('%s, kinds %s, k %s: %s hits of %s keys, %s rows, %s missing, %s wrong, in %s', index, kinds, k, hits, keys, there, missing, extra, pg_current_snapshot());
		END IF;
	END \$\$;

	-- Each for so many seconds. Readers count their answers and hits; one snapshot may serve several of them.
	CREATE PROCEDURE read_for(seconds float8, most int, INOUT answers bigint, INOUT hits bigint) LANGUAGE plpgsql AS \$\$
	DECLARE
		until timestamptz := clock_timestamp() + seconds * interval '1 s';
		told record;
	BEGIN
		WHILE clock_timestamp() < until LOOP
			COMMIT;
			FOR i IN 1 .. 1 + floor(random() * most)::int LOOP
				SELECT * INTO told FROM compare((ARRAY['docs_lake', 'docs_local'])[1 + floor(random() * 2)::int]::regclass, vector(floor(random() * 1e6)::int),
					(ARRAY[7, 7, 7, 3, 1])[1 + floor(random() * 5)::int], (ARRAY[5000, 5000, 10, 50])[1 + floor(random() * 4)::int]);
				answers := answers + 1;
				hits := hits + told.hits;
				IF told.difference IS NOT NULL THEN
					INSERT INTO wrong (what) VALUES (told.difference);
				END IF;
				IF most > 1 THEN PERFORM pg_sleep(random() * 0.1); END IF;
			END LOOP;
		END LOOP;
		COMMIT;
	END \$\$;

	CREATE FUNCTION change(what float8, id_now int, n int) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		CASE WHEN what < 0.25 THEN
			INSERT INTO docs SELECT i, i % 7, 'new', vector(n + i) FROM generate_series(id_now, id_now + n % 5) i ON CONFLICT (id) DO UPDATE SET v = excluded.v;
		WHEN what < 0.45 THEN UPDATE docs SET v = vector(n) WHERE id BETWEEN id_now AND id_now + n % 3;
		WHEN what < 0.55 THEN UPDATE docs SET kind = n % 7 WHERE id BETWEEN id_now AND id_now + n % 9;
		WHEN what < 0.6 THEN UPDATE docs SET note = 'note ' || n WHERE id < id_now;
		WHEN what < 0.65 THEN UPDATE docs SET v = NULL WHERE id = id_now;
		WHEN what < 0.72 THEN UPDATE docs SET id = 600 - id WHERE id = id_now AND NOT EXISTS (SELECT FROM docs WHERE id = 600 - id_now);
		WHEN what < 0.8 THEN
			MERGE INTO docs USING generate_series(id_now, id_now + 5) s (i) ON docs.id = s.i WHEN MATCHED AND s.i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = vector(n + s.i)
				WHEN NOT MATCHED THEN INSERT VALUES (s.i, s.i % 7, 'merged', vector(n - s.i));
		WHEN what < 0.999 THEN DELETE FROM docs WHERE id BETWEEN id_now AND id_now + n % 4;
		ELSE TRUNCATE docs;
		END CASE;
	END \$\$;

	-- Transactions of up to three changes, savepoints among them, some rolled back, some of which look at what they wrote.
	CREATE PROCEDURE write_for(seconds float8, INOUT transactions bigint, INOUT failed bigint) LANGUAGE plpgsql AS \$\$
	DECLARE
		until timestamptz := clock_timestamp() + seconds * interval '1 s';
		told record;
	BEGIN
		WHILE clock_timestamp() < until LOOP
			FOR i IN 1 .. 1 + floor(random() * 3)::int LOOP
				BEGIN
					PERFORM change(random(), 1 + floor(random() * 500)::int, floor(random() * 1e6)::int);
					IF random() < 0.1 THEN RAISE division_by_zero; END IF;
				EXCEPTION
					WHEN division_by_zero THEN NULL;
					WHEN deadlock_detected OR unique_violation THEN failed := failed + 1;
				END;
			END LOOP;
			IF random() < 0.1 THEN
				SELECT * INTO told FROM compare((ARRAY['docs_lake', 'docs_local'])[1 + floor(random() * 2)::int]::regclass, vector(floor(random() * 1e6)::int), 7, 5000);
				IF told.difference IS NOT NULL THEN
					INSERT INTO wrong (what) VALUES ('a writer: ' || told.difference);
				END IF;
			END IF;
			IF random() < 0.15 THEN ROLLBACK; ELSE COMMIT; END IF;
			transactions := transactions + 1;
			PERFORM pg_sleep(random() * 0.05);
			COMMIT;
		END LOOP;
	END \$\$;

	CREATE PROCEDURE sync_for(seconds float8) LANGUAGE plpgsql AS \$\$
	DECLARE
		until timestamptz := clock_timestamp() + seconds * interval '1 s';
		what float8;
	BEGIN
		WHILE clock_timestamp() < until LOOP
			what := random();
			CASE WHEN what < 0.6 THEN PERFORM s3v_sync('docs');
			WHEN what < 0.75 THEN PERFORM s3v_sync('docs', options => '{"max_rows": 7}');
			WHEN what < 0.85 THEN PERFORM s3v_optimize('docs_local');
			WHEN what < 0.95 THEN PERFORM s3v_sync('docs', 'reconcile');
			ELSE PERFORM s3v_sync('docs', 'rebuild');
			END CASE;
			IF random() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
			PERFORM pg_sleep(random() * 0.1);
			COMMIT;
		END LOOP;
	END \$\$;

	CREATE PROCEDURE collect_for(seconds float8, INOUT deleted bigint) LANGUAGE plpgsql AS \$\$
	DECLARE
		until timestamptz := clock_timestamp() + seconds * interval '1 s';
	BEGIN
		WHILE clock_timestamp() < until LOOP
			deleted := deleted + (SELECT sum(c.deleted) FROM s3v_gc(keep => '0') c);
			COMMIT;
			PERFORM pg_sleep(0.3);
			COMMIT;
		END LOOP;
	END \$\$});

my @sessions = (
	(map { { work => 'write_for(%s, 0, 0)', tells => [ 'transactions', 'failed' ] } } 1 .. 10),
	{ work => 'sync_for(%s)', tells => [], is_cancelled => 1 },
	{ work => 'collect_for(%s, 0)', tells => ['deleted'] },
	(map { { work => 'read_for(%s, 1, 0, 0)', tells => [ 'answers', 'hits' ] } } 1 .. 2),
	(map { { work => 'read_for(%s, 10, 0, 0)', tells => [ 'answers', 'hits' ], isolation => $_ } } 'repeatable read', 'serializable'));
my (%sum, @errors);
my $checks = 0;

foreach my $i (0 .. $#sessions)
{
	$sessions[$i]{session} = session($node, $db);
	$sessions[$i]{session}->must('SELECT setseed(' . ($seed + $i) % 1000 / 1000 . ')');
	$sessions[$i]{session}->must("SET default_transaction_isolation = '" . ($sessions[$i]{isolation} // 'read committed') . "'");
}
my $checker = session($node, $db);
my $end = time + $seconds;
my $next_check = time + 1;
my $next_cancel = time + 2;
while (1)
{
	my $busy = 0;

	foreach my $one (@sessions)
	{
		if ($one->{sent} && !$one->{session}->is_busy)
		{
			my $answer = $one->{session}->result;
			my @told = split /\|/, $answer->{out};

			$sum{ $one->{tells}[$_] } += $told[$_] // 0 foreach 0 .. $#{ $one->{tells} };
			push @errors, "$one->{work}: $answer->{err}" if $answer->{state} ne '' && !($one->{is_cancelled} && $answer->{state} eq '57014') && $answer->{state} !~ /^40/;
			$sum{"error $answer->{state}"}++ if $answer->{state} ne '';
			$one->{sent} = 0;
		}
		if (!$one->{sent} && time < $end && @errors < 5)
		{
			my $left = $end - time;
			$one->{session}->send('CALL ' . sprintf($one->{work}, $left < 5 ? $left : 5));
			$one->{sent} = 1;
		}
		$busy++ if $one->{sent};
	}
	last if !$busy;
	if (time > $next_check && time < $end)
	{
		my $found = $checker->query('SELECT sum(missing), sum(orphaned), sum(stale), sum(corrupt) FROM s3v_check(\'docs\')');
		# One that waited for a TRUNCATE has too old a snapshot, and says so.
		push @errors, "s3v_check: $found->{out} $found->{err}" if $found->{out} ne '0|0|0|0' && $found->{state} ne '40001';
		$checks++;
		$next_check = time + 1;
	}
	if (time > $next_cancel && time < $end)
	{
		$checker->must('SELECT pg_cancel_backend(' . $_->{session}->pid . ')') foreach grep { $_->{is_cancelled} && $_->{sent} } @sessions;
		$next_cancel = time + 2;
	}
	sleep 0.005;
}

is(join("\n", @errors), '', 'no error but deadlocks, serialization failures and the cancelled syncs');
is($node->safe_psql($db, q{SELECT string_agg(what, E'\n') FROM (SELECT what FROM wrong ORDER BY id LIMIT 10) w}), '', "$sum{answers} answers of $sum{hits} hits are those of the table");
cmp_ok($sum{answers}, '>', $seconds * 10, 'which are many: ' . join(', ', map { "$_ $sum{$_}" } sort keys %sum));
cmp_ok($checks, '>', $seconds / 10, "s3v_check found nothing, $checks times");
cmp_ok($sum{deleted}, '>', 0, "while s3v_gc deleted $sum{deleted} objects");

# ---- afterwards ----

my $versions = $checker->must('SELECT string_agg(version::text, \' and \') FROM s3v.version');
cmp_ok((sort { $a <=> $b } split / and /, $versions)[0], '>', $seconds / 20, "and s3v_sync came to versions $versions");
my @descriptors = map { $_->{session}->descriptors } grep { $_->{work} =~ /^read_for/ } @sessions;
cmp_ok($descriptors[$_], '<', 60, "reader $_ holds $descriptors[$_] descriptors") foreach 0 .. $#descriptors;
$_->{session}->quit foreach @sessions;
$checker->must(q{SELECT * FROM s3v_sync('docs')});
is($checker->must(q{SELECT string_agg(difference, ' ') FROM unnest('{docs_lake,docs_local}'::regclass[]) i, compare(i, vector(1), 7, 5000)}), '', 'a last sync: the indexes equal the table');
is($checker->must(q{SELECT sum(pending + missing + orphaned + stale + corrupt) FROM s3v_check('docs')}), '0', 'nothing is pending, nothing has drifted');
# A store tells times by the second.
sleep(1.1);
$checker->must(q{SELECT s3v_gc(keep => '0')});
is($checker->must('SELECT count(*) FROM s3v.history'), '2', 'one version of each index is remembered');
my %named = map { split /\|/ } split /\n/, $checker->must(q{
	SELECT i.index_id::regclass || '|' || concat_ws(' ', i.uuid, 1, 1 + cardinality(v.deltas), v.segments) FROM s3v.index i JOIN s3v.version v USING (index_id)});
my ($lake) = split / /, $named{docs_lake};
my ($local) = split / /, $named{docs_local};
my @lake = map { s{^\Q$prefix/$lake/\E}{}r } objects($s3, "$prefix/");
my @local = map { s{^.*/\Q$local/\E}{}r } glob($node->data_dir . "/s3v/$local/*/*");
foreach my $store ([ 'docs_lake', @lake ], [ 'docs_local', @local ])
{
	my ($name, @objects) = @$store;
	my $count = sub { my ($kind) = @_; return scalar(grep { m{^\Q$kind\E/} } @objects) };
	my ($uuid, @wanted) = split / /, $named{$name};
	is(join(' ', map { $count->($_) } 'manifest', 'nav', 'segment'), "@wanted", "$name: its store has the objects that the version names, and no others");
}
$checker->quit;
my %written;
my @requests = $s3->{proxy}->requests;
$written{ $_->{path} }++ foreach grep { $_->{verb} eq 'PUT' && $_->{status} =~ /^2/ } @requests;
is(join(' ', grep { $written{$_} > 1 } keys %written), '', scalar(keys %written) . ' objects were written, none twice');
is(scalar(grep { $_->{verb} eq 'GET' && $_->{status} == 404 && $_->{path} =~ m{/(manifest|nav|segment)/} } @requests), 0, 'no object that somebody wanted was gone');
unlike(log_of($node), qr/TRAP|PANIC|terminated by signal|leak: |reference leak/, 'the log shows no crash and no leak');

done_testing();
