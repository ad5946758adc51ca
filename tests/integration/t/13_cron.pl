# The README's recipe for pg_cron: a sync every minute while others write, runs that overlap, runs that fail and can be seen failing. pg_cron
# runs jobs over connections or in background workers: a cluster for each, at the same time, since a minute is the least it knows.
use strict;
use warnings;

use S3vTest;
use Test::More;
use Time::HiRes qw(time sleep);

# Before a full minute: time to have all jobs scheduled, so that they start together.
use constant NEEDED_SECONDS => 10;

my $db = 'postgres';

plan(skip_all => 'pg_cron is not installed') unless -e "$ENV{S3V_PG_BIN}/../lib/pg_cron.so";

sub cron_cluster
{
	my ($name, $conf) = @_;
	my $node = new_cluster($name, conf => "shared_preload_libraries = 'pg_cron'\ncron.database_name = '$db'\ns3v.request_timeout = '2s'\n$conf");

	$node->safe_psql($db, q{CREATE EXTENSION pg_cron});
	make_table($node, $db, 'docs');
	$node->safe_psql($db, q{
		SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', metadata => '{category,price}', options => '{"build": false}');
		-- A store that is not there.
		CREATE SERVER nowhere FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket/prefix', region 'us-east-1', endpoint 'http://127.0.0.1:1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere OPTIONS (access_key_id 'some', secret_access_key 'thing-secret');
		CREATE TABLE lost (id int PRIMARY KEY, embedding real[]);
		INSERT INTO lost VALUES (1, '{1,2}');
		SELECT s3v_create_index('lost_s3v', 'lost', 'embedding', server => 'nowhere', options => '{"build": false}')});
	return $node;
}

sub schedule
{
	my ($node, $name, $sql, $user) = @_;

	$node->safe_psql($db, "SELECT cron.schedule('$name', '* * * * *', \$\$$sql\$\$)",
		extra_params => [ '-U', $user // $node->safe_psql($db, 'SELECT current_user') ]);
	return;
}

# What became of a job's finished runs, oldest first: "status message" each.
sub runs
{
	my ($node, $name) = @_;

	return split /\n--\n/, $node->safe_psql($db, qq{
		SELECT string_agg(d.status || ' ' || coalesce(d.return_message, ''), E'\\n--\\n' ORDER BY d.runid)
		FROM cron.job j JOIN cron.job_run_details d USING (jobid)
		WHERE j.jobname = '$name' AND d.status IN ('succeeded', 'failed')});
}

sub wait_for_run
{
	my ($node, $number, @names) = @_;

	foreach my $name (@names)
	{
		wait_until("run $number of job $name", sub { sleep(0.2); runs($node, $name) >= $number }, 75);
	}
	return;
}

# Ends a job's process in the middle of its run.
sub kill_run
{
	my ($node, $name) = @_;
	my $running = qq{FROM cron.job j JOIN cron.job_run_details d USING (jobid) WHERE j.jobname = '$name' AND d.status = 'running'};

	wait_until("job $name waits for a lock", sub { $node->safe_psql($db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT job_pid $running)") == 1 }, 75);
	is($node->safe_psql($db, "SELECT pg_terminate_backend(job_pid) $running"), 't', $node->name . ": job $name is killed while it runs");
	return;
}

sub seconds_to_minute { return 60 - (time - int(time / 60) * 60); }

sub pending { return $_[0]->safe_psql($db, q{SELECT pending FROM s3v_indexes WHERE index = 'docs_s3v'::regclass}); }

# ---- clusters ----

my $node = cron_cluster('cron', '');
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
$node->restart;
my $workers = cron_cluster('workers', "cron.use_background_workers = on\n");

# ---- writers, and a sync that holds the index before any job can start ----

$node->safe_psql($db, q{
	CREATE TABLE control (stop bool);
	CREATE PROCEDURE churn(seed int) LANGUAGE plpgsql AS $$
	DECLARE
		id_now int;
	BEGIN
		PERFORM setseed(seed / 100.0);
		WHILE NOT EXISTS (SELECT FROM control WHERE stop) LOOP
			id_now := 1 + 2 * floor(random() * 700) + seed;
			CASE floor(random() * 4)
				WHEN 0 THEN DELETE FROM docs WHERE id = id_now;
				WHEN 1 THEN UPDATE docs SET price = price + 1 WHERE id = id_now;
				ELSE INSERT INTO docs VALUES (id_now, 'new', 1, true, test_vector(id_now * 3 + 1, 32, 20))
					ON CONFLICT (id) DO UPDATE SET embedding = test_vector(id_now * 7 + 2, 32, 20);
			END CASE;
			COMMIT;
			PERFORM pg_sleep(0.02);
		END LOOP;
	END $$});
my @writers = map { session($node, $db)->send("CALL churn($_)") } 0, 1;
my ($holder, $other_holder) = map { session($_, $db) } $node, $workers;
foreach my $session ($holder, $other_holder)
{
	$session->must('BEGIN');
	is($session->must(q{SELECT version FROM s3v_sync('docs')}), 1, 'a sync of a session that does not commit yet');
}

# ---- jobs ----

# Not at its very beginning: pg_cron may yet start what it finds then, and would count one run too many.
sleep(seconds_to_minute() + 3) if seconds_to_minute() < NEEDED_SECONDS;
my $began = time;

schedule($node, 's3v', q{SELECT s3v_sync('docs')});
schedule($node, 'again', q{SELECT s3v_sync('docs')});
schedule($node, 'killed', q{SELECT s3v_sync('docs')});
schedule($node, 'impatient', q{SELECT s3v_sync('docs', options => '{"wait": false}')});
schedule($node, 'lost', q{SELECT s3v_sync('lost')});
schedule($node, 'all', q{SELECT s3v_sync()});
$node->safe_psql($db, q{CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA cron TO stranger;
	GRANT EXECUTE ON FUNCTION s3v_sync(regclass, text, jsonb) TO stranger});
schedule($node, 'stranger', q{SELECT s3v_sync('docs')}, 'stranger');
$node->safe_psql($db, 'CREATE DATABASE fleeting');
$node->safe_psql($db, q{SELECT cron.schedule_in_database('dropped', '* * * * *', 'SELECT s3v_sync()', 'fleeting')});
$node->safe_psql($db, 'DROP DATABASE fleeting');
schedule($workers, 's3v', q{SELECT s3v_sync('docs')});
schedule($workers, 'killed', q{SELECT s3v_sync('docs')});
schedule($workers, 'lost', q{SELECT s3v_sync('lost')});

# ---- the first minute: runs that meet that sync ----

wait_for_run($node, 1, 'impatient', 'lost', 'stranger');
wait_until('jobs wait', sub {
	$node->safe_psql($db, q{
		SELECT string_agg(DISTINCT j.jobname, ' ' ORDER BY j.jobname) FROM cron.job j JOIN cron.job_run_details d USING (jobid)
		WHERE d.status = 'running'}) eq 'again all killed s3v' }, 75);
is($node->safe_psql($db, q{SELECT count(*) FROM s3v.version WHERE version > 0}), '0', 'jobs wait for the sync that is under way');
kill_run($_, 'killed') foreach $node, $workers;
$_->must('COMMIT') foreach $holder, $other_holder;
wait_for_run($node, 1, 's3v', 'again', 'all', 'killed', 'dropped');
wait_for_run($workers, 1, 's3v', 'killed');
like((runs($_, 'killed'))[0], qr/^failed .*terminat/s, $_->name . ': the run that was killed is said to have failed') foreach $node, $workers;
like((runs($node, 'dropped'))[0], qr/^failed /, 'a job whose database is dropped fails, and the others go on');
like((runs($node, $_))[0], qr/^succeeded 1 row/, "job $_ came through after it") foreach 's3v', 'again';
like((runs($node, 'impatient'))[0], qr/^succeeded 0 rows/, 'with wait: false it skipped the index');
like((runs($node, 'all'))[0], qr/^succeeded 2 rows/, 'a sync of all tables goes on past one that fails');
like((runs($node, 'stranger'))[0], qr/^failed ERROR:  must be owner of table docs/, 'a job without the right fails and says why');
like((runs($node, 'lost'))[0], qr/^failed ERROR:  .*127\.0\.0\.1:1/, 'a job whose store is not there fails and names the endpoint');
unlike((runs($node, 'lost'))[0], qr/thing-secret/, 'and not the secret');

# ---- the second minute: writers have stopped just before it ----

sleep(seconds_to_minute() - 2) if seconds_to_minute() > 2 && seconds_to_minute() < 59;
$node->safe_psql($db, 'INSERT INTO control VALUES (true)');
# They have been at it for up to 130 seconds.
$_->wait_longer foreach @writers;
is($_->result->{state}, '', 'a writer was never disturbed') foreach @writers;
cmp_ok(pending($node), '>', 0, 'rows are pending');
wait_for_run($node, 2, 's3v', 'again', 'impatient', 'all', 'killed');
wait_for_run($workers, 2, 's3v', 'killed');
like((runs($_, 'killed'))[1], qr/^succeeded/, $_->name . ': the job that was killed comes through the next time') foreach $node, $workers;
is(scalar(grep { /^failed/ } map { runs($node, $_) } 's3v', 'again', 'impatient', 'all'), 0, 'no run of a sync failed');
is(pending($node), 0, 'nothing is pending');
is(differences($node, $db, 'docs_s3v', 'docs', 32), 0, 'the index equals the table');
is($node->safe_psql($db, q{SELECT path || ' ' || pending FROM (SELECT e->>'path' AS path, e->>'pending_merged' AS pending
	FROM s3v_explain('docs_s3v', test_vector(7, 32, 20)) e) t}), 'index 0', 'and alone answers');

# ---- background workers ----

like((runs($workers, 's3v'))[0], qr/^succeeded/, 'in background workers: the sync came through');
is(pending($workers), 0, 'nothing is pending');
is(differences($workers, $db, 'docs_s3v', 'docs', 32), 0, 'the index equals the table');
like((runs($workers, 'lost'))[0], qr/^failed .*127\.0\.0\.1:1/s, 'a job that fails says why');

# ---- what the sums say ----

is($node->safe_psql($db, q{SELECT syncs >= 5, rows >= 1000, bytes_written > 0, errors >= 3 FROM s3v_stat}), 't|t|t|t',
	's3v_stat counted syncs and errors of all jobs');
cmp_ok(time - $began, '<', 180, 'two minutes and a bit, not three');
unlike(log_of($_), qr/PANIC|terminated by signal|leak/, $_->name . ': no crash, no leak in the log') foreach $node, $workers;

done_testing();
