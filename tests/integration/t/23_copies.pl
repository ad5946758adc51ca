# Copies of a database beside their original: base backups taken while syncs run, byte-for-byte clones, point-in-time recovery, standbys
# that lag or are promoted, two databases on one prefix. Every one of them answers as its own table does, none writes or deletes what is
# another's, and s3v_fork gives it a prefix of its own.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(sleep time);

my $s3 = S3vTest::Proxy->before(require_s3());
my $db = 'postgres';
my $prefix = "it-copies-$$";
my $seed = $ENV{S3V_TEST_SEED} // 20261121;
srand($seed);
note("seed $seed");

my $node = new_cluster('original', allows_streaming => 1, has_archiving => 1, conf => "wal_keep_size = 64MB\n");
$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, $_, rows => 800) foreach qw(docs notes);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metric => 'cosine')});
$node->safe_psql($db, q{SELECT s3v_create_index('notes_s3v', 'notes', 'embedding')});
my $last_id = 10000;

sub write_some
{
	my ($on, $table) = @_;
	my ($from, $at) = (++$last_id, int(rand(700)));

	$last_id += 9;
	$on->safe_psql($db, qq{
		INSERT INTO $table SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series($from, $last_id) i;
		UPDATE $table SET embedding = test_vector(id + $from, 32, 20) WHERE id BETWEEN $at AND $at + 9;
		DELETE FROM $table WHERE id BETWEEN $at + 15 AND $at + 18});
	return;
}

# Membership and distances, whatever they come from; test_differences() would not have it scan.
sub agrees
{
	my ($on, $table, $what) = @_;

	is($on->safe_psql($db, qq{SET client_min_messages = error; SET s3v.on_missing = scan;
		SELECT count(*) FROM s3v_query('${table}_s3v', test_vector(77, 32, 20), 10000, options => '{"probes": 1000000}') h
		FULL JOIN (SELECT id::text AS key, test_cosine(embedding, test_vector(77, 32, 20)) AS distance FROM $table) t USING (key)
		WHERE h.distance IS NULL OR t.distance IS NULL OR abs(h.distance - t.distance) > 1e-6}), '0', $what);
	return;
}

sub path_of
{
	my ($on, $table) = @_;

	return $on->safe_psql($db, qq{SET client_min_messages = error; SELECT s3v_explain('${table}_s3v', test_vector(1, 32, 20))->>'path'});
}

sub synced
{
	my ($on, $table, $what, $mode) = @_;
	my $session = session($on, $db);
	my $answer = $session->query(sprintf q{SELECT version FROM s3v_sync('%s', '%s')}, $table, $mode // 'changes');

	$session->quit;
	is($answer->{state}, '', $what) or diag($answer->{err});
	agrees($on, $table, "$what, and answers as its table does");
	is(path_of($on, $table), 'index', "$what, from the index");
	is($on->safe_psql($db, "SELECT missing, orphaned, stale, corrupt FROM s3v_check('$table')"), '0|0|0|0', "$what: s3v_check has nothing to say");
	return;
}

sub refused
{
	my ($on, $sql, $what) = @_;
	my $session = session($on, $db);
	my $answer = $session->query($sql);

	$session->quit;
	is($answer->{state}, '55000', "$what: $sql refuses");
	like($answer->{err}, qr/HINT:.*s3v_adopt.*s3v_fork/s, "$what: and names both ways to go on");
	return;
}

# What lies below a prefix of the lake; with folder => uuid.
sub folder { my ($uuid) = @_; return { map { $_ => 1 } objects($s3, "$prefix/$uuid/") }; }
sub uuid_of { my ($on, $table) = @_; return $on->safe_psql($db, "SELECT uuid FROM s3v.index WHERE index_id = '${table}_s3v'::regclass"); }
sub stands
{
	my ($before, $uuid, $what) = @_;
	my $now = folder($uuid);

	is(scalar(grep { !$now->{$_} } keys %$before), 0, "$what: none of " . scalar(keys %$before) . ' objects was deleted');
	return;
}
sub warning_of { my ($on, $sql) = @_; my $session = session($on, $db); my $answer = $session->query($sql); $session->quit; return $answer; }

sub copy_of
{
	my ($name, $backup, %params) = @_;
	my $recovery = delete $params{recovery};
	my $clone = PostgreSQL::Test::Cluster->new($name);

	$clone->init_from_backup($node, $backup, %params);
	$clone->append_conf('postgresql.conf', "archive_mode = off\n" . ($recovery // ''));
	$clone->start;
	$clone->poll_query_until($db, 'SELECT NOT pg_is_in_recovery()') if $recovery;
	return $clone;
}

# ---- base backups while syncs run: files of s3v_local are copied at some moment of each ---------------------------------------

{
	my $stop = $node->basedir . '/stop';
	my $writer = fork() // die "fork: $!";
	if ($writer == 0)
	{
		while (!-e $stop)
		{
			write_some($node, 'notes');
			$node->safe_psql($db, q{SELECT * FROM s3v_sync('notes')});
			$node->safe_psql($db, q{SELECT * FROM s3v_gc('s3v_local', keep => '0')}) if rand() < 0.2;
		}
		require POSIX;
		POSIX::_exit(0);
	}
	my $backups = $ENV{S3V_COPIES_BACKUPS} // 3;
	sleep 0.5;
	$node->backup("busy$_") foreach 1 .. $backups;
	append_to_file($stop, '');
	waitpid($writer, 0);
	is($?, 0, 'the writer came to its end');
	$last_id += 30000;
	my %paths;
	foreach my $n (1 .. $backups)
	{
		my $clone = copy_of("busy$n", "busy$n");
		agrees($clone, 'notes', "base backup $n, taken while syncs ran: the clone answers as its table does");
		my $path = path_of($clone, 'notes');
		$paths{$path}++;
		write_some($clone, 'notes');
		agrees($clone, 'notes', "base backup $n: also with changes of its own");
		my $answer = warning_of($clone, q{SELECT * FROM s3v_sync('notes', 'reconcile')});
		# Its copy of the owner's chain may be of another moment than its version row.
		like($answer->{state}, qr/^(55000)?$/, "base backup $n: it goes on, or asks who owns the objects");
		$clone->safe_psql($db, q{SELECT s3v_adopt('notes_s3v')}) if $answer->{state};
		synced($clone, 'notes', "base backup $n: a sync repairs what is not there", 'reconcile');
		is($clone->psql($db, q{SELECT * FROM s3v_gc('s3v_local', keep => '0')}), 0, "base backup $n: and s3v_gc cleans up");
		agrees($clone, 'notes', "base backup $n: after s3v_gc");
		$clone->stop('immediate');
	}
	note("$backups base backups during syncs: " . join(', ', map { "$paths{$_} times read from: $_" } sort keys %paths));
	agrees($node, 'notes', 'the original is none the worse');
	synced($node, 'notes', 'and syncs');
}

# ---- a byte-for-byte clone: the same system identifier, timeline, OIDs and tokens ------------------------------------------------

$node->backup('calm');
my $uuid = uuid_of($node, 'docs');
{
	# Nothing was written since: only s3v_fork tells the two apart.
	my $clone = copy_of('clone', 'calm');
	my $before = folder($uuid);
	is($clone->safe_psql('template1', 'SELECT system_identifier FROM pg_control_system()'),
		$node->safe_psql('template1', 'SELECT system_identifier FROM pg_control_system()'), 'a clone byte for byte');
	agrees($clone, 'docs', 'the clone answers');
	is(path_of($clone, 'docs'), 'index', 'from the index');
	write_some($clone, 'docs');
	$clone->safe_psql($db, q{SELECT s3v_fork('docs_s3v')});
	isnt(uuid_of($clone, 'docs'), $uuid, 'forked, it has a prefix of its own');
	is(path_of($clone, 'docs'), 'mixed', 'with its pending rows');
	agrees($clone, 'docs', 'forked, it answers as its table does');
	synced($clone, 'docs', 'forked, it syncs');
	is_deeply(folder($uuid), $before, 'which wrote and deleted nothing of the original\'s');
	write_some($node, 'docs');
	synced($node, 'docs', 'the original syncs as well');
	synced($clone, 'docs', 'and the clone goes on', 'rebuild');
	is($clone->psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')}), 0, 'its s3v_gc works');
	stands($before, $uuid, 'it');
	my $theirs = uuid_of($clone, 'docs');
	my $of_clone = folder($theirs);
	is($node->psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')}), 0, 's3v_gc of the original works, too');
	is_deeply(folder($theirs), $of_clone, 'and takes none of the clone\'s ' . scalar(keys %$of_clone) . ' objects');
	is(path_of($clone, 'docs'), 'index', 'which goes on with its index');
	agrees($clone, 'docs', 'the clone still answers as its table does');
	$clone->stop('immediate');
}
{
	# A drop there must not become a deletion here, though the clone's token file knows the prefix and nobody has written since.
	$node->backup('again');
	my $before = folder($uuid);
	my $clone = copy_of('dropper', 'again');
	# Nor do attempts that came to nothing make a prefix its own: before anything is written, and when nobody knows what was.
	write_some($clone, 'docs');
	$clone->safe_psql($db, q{ALTER SERVER lake OPTIONS (SET endpoint 'http://127.0.0.1:1')});
	is(warning_of($clone, q{SET s3v.request_timeout = '1s'; SELECT * FROM s3v_sync('docs')})->{state}, '08006', 'a clone whose sync finds no network');
	$clone->safe_psql($db, qq{ALTER SERVER lake OPTIONS (SET endpoint '$s3->{endpoint}')});
	$s3->{proxy}->rules('verb=PUT,key=/owner/,fault=stall');
	is(warning_of($clone, q{SET s3v.request_timeout = '1s'; SELECT * FROM s3v_sync('docs')})->{state}, '08006', 'and later no answer to its claim');
	cmp_ok($s3->{proxy}->hits, '>=', 1, 'which was sent');
	$s3->{proxy}->rules;
	$clone->safe_psql($db, 'DROP FOREIGN TABLE docs_s3v');
	my $told = $clone->safe_psql($db, q{SELECT deleted, foreign_objects > 0 FROM s3v_gc('lake', keep => '0')});
	is($told, '0|t', 'a clone that drops the index: its s3v_gc deletes nothing, and says that there is something');
	is_deeply(folder($uuid), $before, 'not even a marker was written');
	agrees($node, 'docs', 'the original answers');
	write_some($node, 'docs');
	synced($node, 'docs', 'and syncs');
	$clone->stop('immediate');
}
{
	# Without a word from anybody the first to sync wins.
	$node->backup('race');
	my $clone = copy_of('racer', 'race');
	my $before = folder($uuid);
	write_some($clone, 'docs');
	synced($clone, 'docs', 'a clone that syncs first');
	write_some($node, 'docs');
	refused($node, q{SELECT * FROM s3v_sync('docs')}, 'the original');
	refused($node, q{SELECT * FROM s3v_gc('lake', keep => '0')}, 'the original');
	agrees($node, 'docs', 'the original answers all the same');
	stands($before, $uuid, 'the clone\'s sync');
	$node->safe_psql($db, q{SELECT s3v_adopt('docs_s3v')});
	synced($node, 'docs', 'the original, once it took the index back');
	refused($clone, q{SELECT * FROM s3v_sync('docs', 'rebuild')}, 'the clone, now');
	refused($clone, q{SELECT * FROM s3v_gc('lake', keep => '0')}, 'the clone, now');
	agrees($clone, 'docs', 'the clone answers');
	$clone->safe_psql($db, q{SELECT s3v_fork('docs_s3v')});
	synced($clone, 'docs', 'the clone, forked');
	agrees($node, 'docs', 'and the original');
	$clone->stop('immediate');
}

# ---- point-in-time recovery -------------------------------------------------------------------------------------------------------

$node->backup('pitr');
my $at_backup = folder($uuid);
write_some($node, 'docs');
synced($node, 'docs', 'a sync before the first point');
$node->safe_psql($db, q{SELECT pg_create_restore_point('after_sync')});
write_some($node, 'docs');
$node->safe_psql($db, q{SELECT pg_create_restore_point('with_pending')});
synced($node, 'docs', 'a sync between');
write_some($node, 'docs');
synced($node, 'docs', 'and one more');
$node->safe_psql($db, 'SELECT pg_switch_wal()');

my %point = (after_sync => 'index', with_pending => 'mixed');
foreach my $name (sort keys %point)
{
	my $before = folder($uuid);
	my $clone = copy_of("at_$name", 'pitr', has_restoring => 1, standby => 0,
		recovery => "recovery_target_name = '$name'\nrecovery_target_action = promote\n");
	agrees($clone, 'docs', "restored to $name: answers as its table does");
	is(path_of($clone, 'docs'), $point{$name}, "restored to $name: from the version of then");
	write_some($clone, 'docs');
	refused($clone, q{SELECT * FROM s3v_sync('docs')}, "restored to $name");
	refused($clone, q{SELECT * FROM s3v_gc('lake', keep => '0')}, "restored to $name");
	$clone->safe_psql($db, q{SELECT s3v_fork('docs_s3v')});
	synced($clone, 'docs', "restored to $name and forked");
	is_deeply(folder($uuid), $before, "restored to $name: nothing of the original's was touched");
	write_some($node, 'docs');
	synced($node, 'docs', "the original beside one restored to $name");
	$clone->stop('immediate');
}

# In place of the original: it takes the prefix over, with versions that the store has and this timeline never saw.
{
	my $clone = copy_of('in_place', 'pitr', has_restoring => 1, standby => 0,
		recovery => "recovery_target_name = 'with_pending'\nrecovery_target_action = promote\n");
	my $before = folder($uuid);
	$clone->safe_psql($db, q{SELECT s3v_adopt('docs_s3v')});
	synced($clone, 'docs', 'restored in place of the original');
	refused($node, q{SELECT * FROM s3v_sync('docs', 'rebuild')}, 'the original');
	agrees($node, 'docs', 'the original still answers');
	stands($before, $uuid, 'a restore that took over');
	$node->safe_psql($db, q{SELECT s3v_adopt('docs_s3v')});
	write_some($node, 'docs');
	synced($node, 'docs', 'the original takes it back');
	$clone->stop('immediate');
}

# To before what s3v_gc has kept.
write_some($node, 'docs');
$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs', 'rebuild')});
cmp_ok($node->safe_psql($db, q{SELECT deleted FROM s3v_gc('lake', keep => '0')}), '>', 0, 'the original forgets its old versions');
{
	my $clone = copy_of('too_late', 'pitr', has_restoring => 1, standby => 0,
		recovery => "recovery_target_name = 'after_sync'\nrecovery_target_action = promote\n");
	my $before = folder($uuid);
	agrees($clone, 'docs', 'restored to before the window: answers as its table does');
	is(path_of($clone, 'docs'), 'source', 'restored to before the window: by scanning it');
	like(warning_of($clone, q{SELECT key FROM s3v_query('docs_s3v', test_vector(1, 32, 20))})->{err}, qr/WARNING:  58P01: objects of index "docs_s3v" are missing/,
		'restored to before the window: which says so');
	is(warning_of($clone, q{SET s3v.on_missing = error; SELECT key FROM s3v_query('docs_s3v', test_vector(1, 32, 20))})->{state}, '58P01',
		'restored to before the window: an error, where that is wanted');
	my $answer = warning_of($clone, q{SELECT s3v_fork('docs_s3v')});
	is($answer->{state}, '', 'restored to before the window: s3v_fork');
	like($answer->{err}, qr/WARNING:  58P01: version \d+ of index "docs_s3v" cannot be copied: the copy is built from its source/, 'builds what it cannot copy, and says so');
	synced($clone, 'docs', 'restored to before the window and forked');
	is_deeply(folder($uuid), $before, 'restored to before the window: nothing of the original\'s was touched');
	$clone->stop('immediate');
}

# ---- standbys: one that lags behind the clean-up, and one that is promoted while the old primary lives -----------------------------

{
	my $standby = copy_of('standby', do { $node->backup('stream'); 'stream' }, has_streaming => 1);
	$node->wait_for_catchup($standby, 'replay');
	agrees($standby, 'docs', 'a standby answers');
	$standby->safe_psql($db, 'SELECT pg_wal_replay_pause()');
	write_some($node, 'docs');
	$node->safe_psql($db, q{SELECT * FROM s3v_sync('docs', 'rebuild')});
	$node->safe_psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')});
	agrees($standby, 'docs', 'a standby whose version is gone answers as its table does');
	is(path_of($standby, 'docs'), 'source', 'by scanning it');
	$standby->safe_psql($db, 'SELECT pg_wal_replay_resume()');
	$node->wait_for_catchup($standby, 'replay');
	agrees($standby, 'docs', 'caught up, it answers');
	is(path_of($standby, 'docs'), 'index', 'from the index');

	$standby->promote;
	my $before = folder($uuid);
	write_some($standby, 'docs');
	write_some($node, 'docs');
	refused($standby, q{SELECT * FROM s3v_sync('docs')}, 'promoted');
	refused($standby, q{SELECT * FROM s3v_gc('lake', keep => '0')}, 'promoted');
	synced($node, 'docs', 'the old primary goes on');
	$standby->safe_psql($db, q{SELECT s3v_fork('docs_s3v')});
	synced($standby, 'docs', 'promoted and forked');
	write_some($node, 'docs');
	synced($node, 'docs', 'so both go on');
	stands($before, $uuid, 'neither of them');
	$standby->stop('immediate');
}

# ---- two databases, one prefix; and a move from the embedded server to a bucket ------------------------------------------------------

{
	my $stranger = new_cluster('stranger');
	$stranger->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
	make_table($stranger, $db, 'docs', rows => 300);
	$stranger->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});
	my $before = folder($uuid);
	my $theirs = folder(uuid_of($stranger, 'docs'));
	like($stranger->safe_psql($db, q{SELECT deleted, foreign_objects FROM s3v_gc('lake', keep => '0')}), qr/^\d+\|[1-9]/, 'two databases on one prefix: s3v_gc tells of the other\'s');
	is_deeply(folder($uuid), $before, 'two databases on one prefix: and leaves them alone');
	is($node->psql($db, q{SELECT * FROM s3v_gc('lake', keep => '0')}), 0, 'two databases on one prefix: the same the other way round');
	stands($theirs, uuid_of($stranger, 'docs'), 'two databases on one prefix');
	agrees($_, 'docs', 'two databases on one prefix: right') foreach $node, $stranger;
	$stranger->stop('immediate');

	my $old = uuid_of($node, 'notes');
	write_some($node, 'notes');
	like(warning_of($node, q{SELECT s3v_fork('notes_s3v', 'lake')})->{err}, qr/NOTICE:.*\Q$old\E.*s3v_gc of this database will never delete it/s, 'moved to a bucket: the NOTICE names what is left');
	is(path_of($node, 'notes'), 'mixed', 'moved to a bucket: pending rows stay pending');
	synced($node, 'notes', 'moved to a bucket');
	is($node->psql($db, q{SELECT * FROM s3v_gc('s3v_local', keep => '0')}), 0, 'moved to a bucket: s3v_gc');
	ok(-d $node->data_dir . "/s3v/$old/segment", 'leaves the old files alone');
	cmp_ok(scalar(objects($s3, "$prefix/" . uuid_of($node, 'notes') . '/')), '>=', 4, 'and the objects are in the bucket');
}

# ---- over the whole run: no name written twice, and none of the original's deleted that it named -------------------------------------

my %written;
$written{$_->{path}}++ foreach grep { $_->{verb} eq 'PUT' && $_->{status} == 200 } $s3->{proxy}->requests;
is(join(' ', grep { $written{$_} > 1 } sort keys %written), '', 'no name was written twice, in ' . scalar(keys %written) . ' objects');
is(join("\n", grep { /TRAP|PANIC|was terminated by signal/ } map { split /\n/, log_of($_) } $node), '', 'no crash');

done_testing();
