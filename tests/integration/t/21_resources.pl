# Want of time, descriptors and memory; many backends at once, many calls in one. Queries go on or say why not, nobody crashes, and
# afterwards nothing is lost or left (G2, G4 to G8). S3V_QUERIES asks for more queries in one backend.
use strict;
use warnings;

use List::Util qw(min);
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(time sleep);

my $s3 = S3vTest::Proxy->before(require_s3());
my $proxy = $s3->{proxy};
my $prefix = "it-resources-$$";
my $db = 'postgres';
my $queries = $ENV{S3V_QUERIES} // 1500;
my $node = new_cluster('resources', conf => "max_connections = 90\nlog_error_verbosity = verbose\n");

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 3000, dims => 64, clusters => 50);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}', options => '{"lists": 60}')});
my $top = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('docs_s3v', test_vector(5, 64, 50), 50, options => '{"probes": 1000}')};
my $truth = $node->safe_psql($db, $top);

sub agrees { my ($what) = @_; is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', $what); return; }

# ---- G2: time limits of the server's own -------------------------------------------------------------------------------------------

{
	my ($holder, $other) = map { session($node, $db) } 1, 2;
	my $version = q{SELECT version, pending FROM s3v_indexes};

	$other->must(q{UPDATE docs SET price = price + 1, embedding = test_vector(id, 64, 50) WHERE id < 30});
	my $before = $other->must($version);
	$holder->must(q{BEGIN; SELECT * FROM s3v_sync('docs')});
	$other->must(q{SET lock_timeout = '200ms'});
	foreach my $sql (q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_sync('docs', 'rebuild')}, q{SELECT s3v_optimize('docs_s3v')}, q{SELECT s3v_adopt('docs_s3v')})
	{
		my $answer = $other->query($sql);
		is($answer->{state}, '55P03', "G2: lock_timeout while a sync holds the index: $sql") or diag($answer->{err});
		# What a busy machine adds to the limit; without one it would wait for ever.
		cmp_ok($answer->{ms}, '<', 200 + 10_000, sprintf('G2: after %.0f ms', $answer->{ms}));
	}
	is($other->query($top)->{out}, $truth, 'G2: a query waits for nobody');
	is($other->query(q{INSERT INTO docs VALUES (50001, 'new', 1, true, test_vector(1, 64, 50)); DELETE FROM docs WHERE id = 50001})->{state}, '', 'G2: nor does a writer');
	$holder->must(q{SET idle_in_transaction_session_timeout = '200ms'});
	wait_until('the idle session ends', sub { !-d '/proc/' . $holder->pid });
	is($holder->query('SELECT 1')->{state}, '25P03', 'G2: idle_in_transaction_session_timeout ends a transaction with a sync in it');
	my ($old) = split /\|/, $before;
	like($other->must($version), qr/^$old\|[1-9]/, 'G2: which leaves the old version, and the log');
	is($other->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '', 'G2: the lock is free, and the next sync works');
	agrees('G2: its version equals the table');
	$truth = $other->must($top);
	$other->quit;
	$holder->quit;
}

# 250 x 16,000 floats are 15 MiB.
$node->safe_psql(
	$db, q{
	CREATE TEMP TABLE part AS SELECT i, test_vector(i, 1000, 1000) AS v FROM generate_series(0, 60) i;
	CREATE TEMP TABLE quarter AS SELECT a.i, a.v || b.v || c.v || d.v AS v FROM part a JOIN part b ON b.i = a.i * 7 % 61 JOIN part c ON c.i = a.i * 13 % 61
		JOIN part d ON d.i = a.i * 29 % 61;
	CREATE TABLE wide (id int PRIMARY KEY, embedding real[] NOT NULL);
	ALTER TABLE wide ALTER embedding SET STORAGE EXTERNAL;
	INSERT INTO wide SELECT n, a.v || b.v || c.v || d.v FROM generate_series(1, 250) n JOIN quarter a ON a.i = n % 61 JOIN quarter b ON b.i = (n * 3 + n / 61) % 61
		JOIN quarter c ON c.i = (n * 5 + n / 61 * 2) % 61 JOIN quarter d ON d.i = (n * 11 + n / 61 * 3) % 61;
	CREATE TABLE wider (id int PRIMARY KEY, embedding real[] NOT NULL);
	INSERT INTO wider SELECT 1, array_agg(1.0) FROM generate_series(1, 16001)});

# ---- G6: descriptors ----------------------------------------------------------------------------------------------------------------------

{
	$node->stop;
	# The least with which each release's server starts, and some.
	$node->append_conf('postgresql.conf', "max_files_per_process = 70\n");
	system_or_bail('prlimit', '--nofile=128:128', 'pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
	$node->_update_pid(1);
	# Vectors of 64 kB with gaps between them, each a request of its own; and late, so that all are under way at the same time.
	my $wide = q{SELECT count(*) FROM s3v_query('wide_s3v', (SELECT embedding FROM wide WHERE id = 77), 120, options => '{"probes": 1000, "as_of_version": 1}')};
	is($node->psql($db, q{SELECT s3v_create_index('wide_s3v', 'wide', 'embedding', server => 'lake', options => '{"raw": "f32"}')}), 0, 'G6: wide vectors are built');
	$proxy->rules('fault=delay,ms=150');
	my $session = session($node, $db);
	$proxy->requests;
	is($session->must($wide), '120', 'G6: 120 wide hits');
	cmp_ok(scalar($proxy->requests), '>=', 20, 'G6: are many requests');
	my $answer = $session->query($top);
	is($answer->{out}, $truth, 'G6: 128 descriptors, 70 for the server: a query is right') or diag($answer->{err});
	foreach my $limit (60, 40, 34, 30, 28, 26, 24)
	{
		my $poor = session($node, $db);
		$poor->must('SET s3v.max_parallel_requests = 256');
		system_or_bail('prlimit', '--pid', $poor->pid, "--nofile=$limit:");
		$poor->must(q{SET s3v.request_timeout = '3s'});
		my $said = $poor->query($wide);
		like("$said->{state} $said->{out}", qr/^( 120|(08006|53000) )$/, "G6: $limit descriptors: a query is right or says why not") or diag($said->{err});
		note("G6: $limit descriptors: " . ($said->{state} || 'answered') . ($said->{err} =~ /(ERROR.*|DETAIL.*)/ ? " $1" : ''));
		system_or_bail('prlimit', '--pid', $poor->pid, '--nofile=128:');
		is($poor->query($top)->{out}, $truth, "G6: $limit descriptors: the session goes on once there are more");
		$poor->quit;
	}
	$proxy->rules;
	$session->quit;
	$node->safe_psql($db, 'DROP FOREIGN TABLE wide_s3v');
	is($node->psql($db, q{SELECT * FROM s3v_sync('docs', 'rebuild')}), 0, 'G6: a rebuild works');
	agrees('G6: and equals the table');
	$node->append_conf('postgresql.conf', "max_files_per_process = 1000\n");
	$node->restart;
	$truth = $node->safe_psql($db, $top);
}

# ---- G4, G5: memory ---------------------------------------------------------------------------------------------------------------------------

{
	my $session = session($node, $db);
	is($session->query(q{SELECT s3v_create_index('wider_s3v', 'wider', 'embedding')})->{state}, '22023', 'G5: 16,001 dimensions are too many');
	$session->must(q{SELECT count(*) FROM wide; SET maintenance_work_mem = '1MB'; SET work_mem = '64kB'});
	foreach my $where ('s3v_local', 'lake')
	{
		$session->reset_peak;
		my $idle = $session->status_kb('VmRSS');
		my $answer = $session->query(qq{SELECT s3v_create_index('wide_s3v', 'wide', 'embedding', server => '$where')});
		is($answer->{state}, '', "G5: $where: 16,000 dimensions are built with maintenance_work_mem = 1MB") or diag($answer->{err});
		my $build = ($session->status_kb('VmHWM') - $idle) / 1024;
		# 64 rows as they come, placed, and as residuals, 64 sampled queries, and one segment on its way.
		cmp_ok($build, '<=', 48, sprintf('G5: %s: which takes %.1f MB', $where, $build));
		foreach my $sql (q{SELECT count(*), min(h.distance) < 1e-6 FROM s3v_query('wide_s3v', (SELECT embedding FROM wide WHERE id = 77), 10) h},
			q{SELECT count(*), true FROM s3v_query('wide_s3v', (SELECT embedding FROM wide WHERE id = 77), 250, options => '{"probes": 1000}')})
		{
			$session->must('DISCARD TEMP');
			$session->reset_peak;
			$idle = $session->status_kb('VmRSS');
			$answer = $session->query($sql);
			like("$answer->{state} $answer->{out}", qr/^( (10|250)\|t|53200 )$/, "G5: $where: a query with work_mem = 64kB is right or says why not") or diag($answer->{err});
			cmp_ok(($session->status_kb('VmHWM') - $idle) / 1024, '<=', 40,
				sprintf('G5: %s: %s, with %.1f MB', $where, $answer->{state} || 'answered', ($session->status_kb('VmHWM') - $idle) / 1024));
		}
		$session->must('DROP FOREIGN TABLE wide_s3v');
	}

	# An address space with little left, for everything that s3v does; then with much.
	$session->must(q{SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'});
	my %states;
	foreach my $spare (2, 6, 12, 20, 30, 45, 60, 80, 120)
	{
		my $poor = session($node, $db);
		$poor->must(q{SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2; LOAD 's3v'; SELECT count(*) FROM wide});
		my $limit = ($poor->status_kb('VmSize') + $spare * 1024) * 1024;
		system_or_bail('prlimit', '--pid', $poor->pid, "--as=$limit:");
		foreach my $sql ($top, q{SELECT s3v_create_index('poor_s3v', 'wide', 'embedding', server => 'lake')}, q{SELECT * FROM s3v_sync('docs', 'rebuild')},
			q{SELECT count(*) FROM s3v_check('docs')}, q{SELECT s3v_recall('docs_s3v', 20)})
		{
			my $said = $poor->query($sql);
			$states{ $said->{state} || 'done' }++;
			note("G4: $spare MB: $sql: $said->{err}") unless $said->{state} =~ /^(53200|)$/;
			ok($said->{alive}, "G4: $spare MB of memory: the session lives after: $sql") or last;
		}
		system_or_bail('prlimit', '--pid', $poor->pid, '--as=unlimited:');
		is($poor->query($top)->{out}, $node->safe_psql($db, $top), "G4: $spare MB of memory: with more, the session goes on");
		$poor->query('DROP FOREIGN TABLE IF EXISTS poor_s3v');
		$poor->quit;
	}
	note('G4: statements without memory: ' . join(', ', map { "$states{$_} x $_" } sort keys %states));
	is_deeply([ grep { !/^(done|53200)$/ } keys %states ], [], 'G4: what failed did so for want of memory');
	cmp_ok($states{53200} // 0, '>=', 5, 'G4: and some did');
	agrees('G4: afterwards the index equals the table');
	$session->quit;
	$node->safe_psql($db, 'DROP TABLE wide, wider');
}

# ---- G7: many backends at once, nothing cached ------------------------------------------------------------------------------------------------

{
	my $backends = 60;
	$node->append_conf('postgresql.conf', "s3v.cache_dir = 'pgsql_tmp_s3v'\ns3v.cache_size = '64MB'\n");
	$node->restart;
	$truth = $node->safe_psql($db, "SET s3v.cache_size = 0; $top");
	foreach my $round ('cold', 'again')
	{
		my (@outputs, @errors, @runs);
		# All wait for one lock, so that none is ahead of the others; and answers are late, so that they overlap.
		my $gate = session($node, $db);
		$gate->must('SELECT pg_advisory_lock(8)');
		foreach my $n (0 .. $backends - 1)
		{
			($outputs[$n], $errors[$n]) = ('', '');
			push @runs, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($db), '-c', 'DO $$ BEGIN PERFORM pg_advisory_lock_shared(8); END $$', '-c', $top ], '<', \undef, '>', \$outputs[$n], '2>', \$errors[$n]);
		}
		wait_until('all are at the gate', sub { $gate->must(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) == $backends });
		$proxy->rules('fault=delay,ms=300');
		$proxy->requests;
		my $then = time;
		$gate->must('SELECT pg_advisory_unlock(8)');
		$_->finish foreach @runs;
		my $took = time - $then;
		$proxy->rules;
		$gate->quit;
		is(scalar(grep { $_ eq "$truth\n" } @outputs), $backends, "G7, $round: all $backends backends answer right") or diag("@errors");
		is("@errors", ' ' x ($backends - 1), "G7, $round: without a word");
		my %gets;
		$gets{"$_->{path} $_->{range}"}++ foreach grep { $_->{verb} eq 'GET' } my @requests = $proxy->requests;
		my ($most) = sort { $b <=> $a } values %gets, 0;
		note(sprintf 'G7, %s: %d backends, %.1f s, %d requests for %d ranges, at most %d for one', $round, $backends, $took, scalar(@requests), scalar(keys %gets), $most);
		cmp_ok($most, '<=', $round eq 'cold' ? $backends : 0, "G7, $round: no backend asks twice for the same");
	}
	$node->append_conf('postgresql.conf', "s3v.cache_size = 0\n");
	$node->restart;
}

# ---- G8: very many queries in one backend --------------------------------------------------------------------------------------------------------

$node->safe_psql(
	$db, q{
	CREATE FUNCTION v1() RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_fill(1::real, ARRAY[64]) $$;
	CREATE TABLE probe AS SELECT i, test_vector(i, 64, 50) AS v FROM generate_series(1, 100) i;
	CREATE FUNCTION query_often(rounds int) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		hits bigint := 0;
		n bigint;
		probe_number int;
		bad text;
	BEGIN
		FOR i IN 1 .. rounds LOOP
			probe_number := 1 + i % 100;
			SELECT count(*) INTO n FROM s3v_query('docs_s3v', (SELECT v FROM probe p WHERE p.i = probe_number), 10, CASE WHEN i % 4 = 0 THEN '{"price": {"$lt": 100}}'::jsonb END);
			hits := hits + n;
			IF i % 10 = 0 THEN
				FOREACH bad IN ARRAY ARRAY['s3v_query(''docs_s3v'', ''{1,2}''::real[], 5)', 's3v_query(''docs_s3v'', v1(), 0)',
					's3v_query(''docs_s3v'', v1(), 5, ''{"nothing": 1}'')', 's3v_query(''docs_s3v'', v1(), 5, ''{"price": {"$near": 1}}'')',
					's3v_query(''docs_s3v'', ''[1,NaN]'', 5)', 's3v_query(''docs_s3v'', v1(), 5, options => ''{"probes": -1}'')',
					's3v_query(''docs'', v1(), 5)'] LOOP
					BEGIN
						EXECUTE 'SELECT count(*) FROM ' || bad INTO n;
						RAISE EXCEPTION 'no error: %', bad;
					EXCEPTION WHEN invalid_parameter_value OR wrong_object_type THEN
						NULL;
					END;
				END LOOP;
			END IF;
		END LOOP;
		RETURN hits;
	END $$});
{
	my $session = session($node, $db);
	my ($asked, %states);
	my $batch = 100;
	my $then = time;

	# A batch of queries and bad input, then one error of each other kind: a store that answers 503, one that stalls and is cancelled, garbage,
	# and a limit of time.
	my $errors = 0;
	my $round = sub {
		$session->must("SELECT query_often($batch)");
		$asked += $batch * 1.7;
		foreach my $case ([ 'fault=503', '08006' ], [ 'fault=stall', '57014' ], [ 'key=/segment/,fault=flip,at=100', 'XX001' ], [ 'fault=403', '42501' ])
		{
			my ($rule, $state) = @$case;
			$proxy->rules($rule);
			# Within which RESET has to come through, too; what is refused at once needs no limit.
			$session->must(q{SET statement_timeout = '500ms'}) if $rule =~ /stall/;
			$session->must(q{SET s3v.request_timeout = '100ms'}) if $rule =~ /503/;
			my $answer = $session->query(q{SELECT count(*) FROM s3v_query('docs_s3v', test_vector(3, 64, 50), 10, options => '{"probes": 1000}')});
			$states{ $answer->{state} }++;
			$session->must('RESET ALL');
			$asked++;
		}
		$proxy->rules;
	};
	$round->() foreach 1 .. 6;
	$session->contexts;
	my $contexts = $session->contexts;
	my (@rss, @descriptors);
	my $look = sub { push @rss, $session->status_kb('RssAnon'); push @descriptors, $session->descriptors };
	$look->();
	$asked = 0;
	# In two halves: a leak grows in both; what the system hands out in large pages, or a connection more that is kept, does not.
	foreach my $half (1, 2)
	{
		$round->() while $asked < $queries * $half / 2;
		$look->();
	}
	my $contexts_after = $session->contexts;
	my ($grown, $opened) = map { min($_->[1] - $_->[0], $_->[2] - $_->[1]) } \@rss, \@descriptors;
	note(sprintf 'G8: %d queries in %.0f s, errors of the store: %s; %s kB; %s descriptors', $asked, time - $then,
		join(', ', map { "$states{$_} x $_" } sort keys %states), join(', then ', @rss), join(', then ', @descriptors));
	is(join(' ', sort keys %states), '08006 42501 57014 XX001', 'G8: errors of all kinds were mixed in');
	cmp_ok($grown, '<=', 512, 'G8: half of ' . int($asked) . " queries, errors mixed in, grow the backend by $grown kB");
	cmp_ok($opened, '<=', 0, "G8: as many descriptors as before: $descriptors[-1]");
	is($contexts_after->{names}, '', 'G8: no memory context of a call is left');
	cmp_ok($contexts_after->{bytes} - $contexts->{bytes}, '<=', 65536, "G8: the server's memory contexts do not grow: $contexts->{bytes}, $contexts_after->{bytes}");
	$session->quit;
}
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
