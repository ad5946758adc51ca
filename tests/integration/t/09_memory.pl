# Memory: a build stays within maintenance_work_mem, whatever the table; queries, errors and syncs in one backend leave nothing.
use strict;
use warnings;

use S3vTest;
use Test::More;

my $s3 = require_s3();
# Shared memory counts in a process's size once it is touched: little of it, so that the rest shows.
my $node = new_cluster('memory', conf => "shared_buffers = 4MB\nmax_parallel_maintenance_workers = 2\n");
my $db = 'postgres';

$node->safe_psql($db, server_sql('lake', $s3, prefix => "it-memory-$$"));

# ---- a build ----

# 40,000 x 512 floats are 80 MiB. Eight pieces of 64 out of a thousand: made in seconds.
$node->safe_psql(
	$db, q{
	CREATE TEMP TABLE piece AS SELECT i, test_vector(i, 64, 1000) AS v FROM generate_series(0, 999) i;
	CREATE INDEX ON piece (i);
	CREATE TABLE big (id int PRIMARY KEY, embedding real[] NOT NULL);
	ALTER TABLE big ALTER embedding SET STORAGE EXTERNAL;
	INSERT INTO big SELECT n, a.v || b.v || c.v || d.v || e.v || f.v || g.v || h.v FROM generate_series(1, 40000) n
		JOIN piece a ON a.i = n % 1000 JOIN piece b ON b.i = n * 7 % 1000 JOIN piece c ON c.i = n * 11 % 1000 JOIN piece d ON d.i = n * 13 % 1000
		JOIN piece e ON e.i = n * 17 % 1000 JOIN piece f ON f.i = n * 19 % 1000 JOIN piece g ON g.i = n * 23 % 1000 JOIN piece h ON h.i = n * 29 % 1000});

foreach my $where ('s3v_local', 'lake')
{
	my $session = session($node, $db);
	# What an idle backend has touched: the library, the table's buffers, one small index.
	$session->must('SELECT count(*) FROM big');
	$session->must(q{CREATE TABLE small (id int PRIMARY KEY, embedding real[]); INSERT INTO small SELECT i, test_vector(i, 32, 20) FROM generate_series(1, 50) i});
	$session->must("SELECT s3v_create_index('small_s3v', 'small', 'embedding', server => '$where'); DROP TABLE small");
	$session->must(q{SET maintenance_work_mem = '16MB'});
	$session->reset_peak;
	my $idle = $session->status_kb('VmRSS');
	my $files = $node->safe_psql($db, q{SELECT temp_bytes FROM pg_stat_database WHERE datname = 'postgres'});

	$session->must("SELECT s3v_create_index('big_s3v', 'big', 'embedding', server => '$where')");
	my $peak = $session->status_kb('VmHWM');
	my $above = ($peak - $idle) / 1024;
	cmp_ok($above, '<=', 64, sprintf("$where: 40,000 x 512 with maintenance_work_mem = '16MB' needs %.1f MB above an idle backend (%.1f MB)", $above, $idle / 1024));
	# Statistics come late: a moment after the transaction.
	my $spilled = 0;
	wait_until('temporary files are counted', sub {
			$spilled = $node->safe_psql($db, q{SELECT temp_bytes FROM pg_stat_database WHERE datname = 'postgres'}) - $files });
	cmp_ok($spilled, '>=', 40000 * 512 * 4, sprintf("$where: what does not fit goes to PostgreSQL's temporary files, %.0f MB", $spilled / 1048576));
	# What malloc() keeps, it keeps once.
	my $kept = $session->status_kb('VmRSS');
	$session->must(q{SELECT * FROM s3v_sync('big', 'rebuild')});
	my $more = ($session->status_kb('VmRSS') - $kept) / 1024;
	cmp_ok($more, '<=', 8, sprintf("$where: %.1f MB stay with the backend, a rebuild adds %.1f MB", ($kept - $idle) / 1024, $more));
	is($session->must(q{SELECT rows FROM s3v_indexes}), '40000', "$where: all rows are in");
	is($session->must(q{SELECT count(*) FROM big b, s3v_query('big_s3v', b.embedding, 1) h WHERE b.id IN (17, 20000, 39999)
		AND h.distance < 1e-6}), '3', "$where: and found");
	is($node->safe_psql($db, q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', "$where: no temporary file is left");
	$session->must('DROP FOREIGN TABLE big_s3v');
	$session->quit;
}

# temp_file_limit holds, and its error leaves nothing.
{
	my $session = session($node, $db);
	$session->must(q{SET maintenance_work_mem = '16MB'; SET temp_file_limit = '20MB'});
	my $answer = $session->query(q{SELECT s3v_create_index('big_s3v', 'big', 'embedding')});
	is($answer->{state}, '53400', 'temp_file_limit: 53400');
	like($answer->{err}, qr/temporary file size exceeds "?temp_file_limit/, 'temp_file_limit: the server\'s own words');
	is($session->must(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'temp_file_limit: no temporary file is left');
	is($session->must('SELECT count(*) FROM s3v_indexes'), '0', 'temp_file_limit: no index is left');
	$session->quit;
}
$node->safe_psql($db, 'DROP TABLE big');

# ---- many calls in one backend ----

make_table($node, $db, 'docs', rows => 3000);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}')});
$node->safe_psql($db, q{SELECT s3v_create_index('near_s3v', 'docs', 'embedding')});
$node->safe_psql($db, q{UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id % 60 = 0});

# Queries of all kinds, errors mixed in.
$node->safe_psql(
	$db, q{
	CREATE FUNCTION query_often(index regclass, rounds int) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		hits bigint := 0;
		n bigint;
	BEGIN
		FOR i IN 1 .. rounds LOOP
			SELECT count(*) INTO n FROM s3v_query(index, test_vector(i, 32, 20), 10);
			hits := hits + n;
			IF i % 10 = 0 AND index = 'docs_s3v'::regclass THEN
				SELECT count(*) INTO n FROM s3v_query(index, test_vector(i, 32, 20), 5, '{"category": {"$in": ["c1", "c2"]}, "price": {"$lt": 100}}');
				hits := hits + n;
			END IF;
			IF i % 20 = 0 THEN
				BEGIN
					PERFORM s3v_query(index, ARRAY[1, 2]::real[], 5);
				EXCEPTION WHEN invalid_parameter_value THEN
					NULL;
				END;
				BEGIN
					PERFORM s3v_query(index, test_vector(i, 32, 20), 5, '{"nothing": 1}');
				EXCEPTION WHEN invalid_parameter_value THEN
					NULL;
				END;
				PERFORM s3v_explain(index, test_vector(i, 32, 20), 5, keys => ARRAY['1', '2', '3']);
			END IF;
		END LOOP;
		RETURN hits;
	END $$});

foreach my $case ([ 'docs_s3v', 's3://', 1500 ], [ 'near_s3v', 'file://', 1500 ])
{
	my ($index, $kind, $rounds) = @$case;
	my $session = session($node, $db);
	# Each call its own statement and transaction, as users call it.
	my $call = "SELECT query_often('$index', 50)";

	$session->must($call) foreach 1 .. 6;
	$session->contexts;
	my ($rss, $descriptors, $contexts) = ($session->status_kb('RssAnon'), $session->descriptors, $session->contexts);
	$session->must($call) foreach 1 .. $rounds / 50;
	my ($rss_after, $descriptors_after, $contexts_after) = ($session->status_kb('RssAnon'), $session->descriptors, $session->contexts);
	cmp_ok($rss_after - $rss, '<=', 2048, "$kind: $rounds queries, errors mixed in, grow the backend by " . ($rss_after - $rss) . ' kB');
	cmp_ok($descriptors_after, '<=', $descriptors, "$kind: as many descriptors as before: $descriptors_after");
	is($contexts_after->{names}, '', "$kind: no memory context of a call is left");
	cmp_ok($contexts_after->{bytes} - $contexts->{bytes}, '<=', 65536, "$kind: the server's memory contexts do not grow: $contexts->{bytes}, $contexts_after->{bytes}");
	$session->quit;
}

# Syncs: each opens new objects, and the navigation tiers of old versions must go.
{
	my $session = session($node, $db);
	# Another vector each time, else there is nothing to sync.
	my $sync = q{UPDATE docs SET embedding = test_vector(id + %s, 32, 20) WHERE id = 5; SELECT count(*) FROM s3v_sync('docs');
		SELECT count(*) FROM s3v_query('docs_s3v', test_vector(1, 32, 20))};
	my $version = q{SELECT version FROM s3v_indexes WHERE index = 'docs_s3v'::regclass};

	$session->must(sprintf($sync, $_)) foreach 1 .. 8;
	my $before = $session->must($version);
	my ($rss, $descriptors) = ($session->status_kb('RssAnon'), $session->descriptors);
	$session->must(sprintf($sync, 8 + $_)) foreach 1 .. 25;
	my $grown = $session->status_kb('RssAnon') - $rss;
	is($session->must($version), $before + 25, '25 syncs, 25 versions');
	cmp_ok($grown, '<=', 2048, "25 syncs, each with a query, grow the backend by $grown kB");
	cmp_ok($session->descriptors, '<=', $descriptors, 'as many descriptors as before');
	$session->quit;
}
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
