# A streaming standby reads the same index through its replicated version row; what is not there it scans for. Promoted, it
# must take the objects over before it writes.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use S3vTest;
use Test::More;

my $s3 = require_s3();
my $db = 'postgres';
my $primary = new_cluster('primary', allows_streaming => 1);

$primary->safe_psql($db, server_sql('lake', $s3, prefix => "it-standby-$$"));
make_table($primary, $db, 'docs', rows => 2000);
make_table($primary, $db, 'notes', rows => 500);
$primary->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category}')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
$standby->start;
# After the backup, so that its files are on the primary alone.
$primary->safe_psql($db, q{SELECT s3v_create_index('notes_s3v', 'notes', 'embedding')});

sub replay { $primary->wait_for_catchup($standby, 'replay'); return; }

# Hits of some probes, as text.
my $hits = q{SELECT string_agg(format('%s:%s', h.key, h.distance), ' ' ORDER BY p, h.distance, h.key) FROM generate_series(1, 10) p,
	s3v_query('docs_s3v', test_vector(p * 191, 32, 20), 10, '{"category": {"$ne": "c2"}}') h};
replay();
my $reader = session($standby, $db);
my $writer = session($primary, $db);

my $answer = $reader->query($hits);
is($answer->{out}, $writer->must($hits), 'the standby gives the primary\'s answers');
unlike($answer->{err}, qr/WARNING/, 'from the index');
is($reader->must(q{SELECT s3v_explain('docs_s3v', test_vector(1, 32, 20))->>'path'}), 'index', 's3v_explain says so');
is($reader->must('SELECT index, version, rows, pending, state FROM s3v_indexes ORDER BY 1'),
	$writer->must('SELECT index, version, rows, pending, state FROM s3v_indexes ORDER BY 1'), 's3v_indexes is the same');
is($reader->must('SELECT count(*) FROM s3v_progress'), '0', 's3v_progress can be read');

# ---- pending rows, and a sync on the primary ----

$writer->must(q{INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(5001, 5100) i});
$writer->must('DELETE FROM docs WHERE id % 10 = 3');
$writer->must('UPDATE docs SET embedding = test_vector(id + 5, 32, 20) WHERE id % 10 = 4');
replay();
is($reader->must($hits), $writer->must($hits), 'with pending rows');
is($reader->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'all rows agree');
is($reader->must(q{SELECT s3v_explain('docs_s3v', test_vector(1, 32, 20))->>'path'}), 'mixed', 'index and pending rows');
$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $before = $reader->must($hits);
$writer->must(q{SELECT * FROM s3v_sync('docs')});
$writer->must('DELETE FROM docs WHERE id % 10 = 5');
replay();
is($reader->must($hits), $before, 'an open snapshot of the standby reads its version after the primary\'s sync');
$reader->must('COMMIT');
is($reader->must($hits), $writer->must($hits), 'the next one reads the new version');
is($reader->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'all rows agree');

# ---- files of another machine ----

my $near = q{SELECT string_agg(key, ',' ORDER BY distance) FROM s3v_query('notes_s3v', test_vector(5, 32, 20), 20, options => '{"probes": 1000}')};
$answer = $reader->query($near);
is($answer->{out}, $writer->must($near), 's3v_local: the standby answers');
my @warnings = $answer->{err} =~ /WARNING: +(\S+): (.*)/g;
is(scalar(@warnings) / 2, 1, 's3v_local: with one WARNING');
like($answer->{err}, qr/WARNING:  58P01: objects of index "notes_s3v" are missing: its source is scanned instead/, 's3v_local: which says why');
is($reader->must(q{SELECT e->>'path', e->>'exact' FROM s3v_explain('notes_s3v', test_vector(5, 32, 20)) e}), 'source|true', 's3v_local: the source is scanned');
is($reader->query(q{SET s3v.on_missing = error; SELECT count(*) FROM s3v_query('notes_s3v', test_vector(5, 32, 20))})->{state},
	'58P01', 's3v_local: s3v.on_missing = error refuses');
$reader->must('RESET s3v.on_missing');

# ---- what a standby cannot do ----

foreach my $sql (
	q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_sync()}, q{SELECT * FROM s3v_sync('docs', 'rebuild')},
	q{SELECT * FROM s3v_gc()}, q{SELECT * FROM s3v_gc('lake')}, q{SELECT s3v_adopt('docs_s3v')},
	q{SELECT s3v_create_index('more_s3v', 'docs', 'embedding')})
{
	is($reader->query($sql)->{state}, '25006', "$sql: 25006");
}

# ---- promoted, while the old primary is alive ----

$writer->must('UPDATE docs SET embedding = test_vector(id + 9, 32, 20) WHERE id % 10 = 6');
replay();
$standby->promote;
$standby->poll_query_until($db, 'SELECT NOT pg_is_in_recovery()') or die 'no promotion';
$reader->quit;
$reader = session($standby, $db);
is($reader->must($hits), $writer->must($hits), 'promoted: queries go on, pending rows included');
$reader->must(q{INSERT INTO docs SELECT 7001, 'after', 1, true, test_vector(77, 32, 20)});
is($reader->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'promoted: its own changes are found');
foreach my $sql (q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_gc('lake', keep => '0')})
{
	$answer = $reader->query($sql);
	is($answer->{state}, '55000', "promoted: $sql refuses");
	like($answer->{err}, qr/timeline.*HINT:.*s3v_adopt/s, 'promoted: because of the timeline, and says how to go on');
}
$writer->must('DELETE FROM docs WHERE id % 10 = 7');
like($writer->must(q{SELECT version, error FROM s3v_sync('docs')}), qr/^3\|$/, 'the old primary, if it lives, still owns the objects');
is($reader->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'promoted: which disturbs no query');

$reader->must(q{SELECT s3v_adopt('docs_s3v')});
like($reader->must(q{SELECT version, error FROM s3v_sync('docs')}), qr/^\d+\|$/, 'promoted: after s3v_adopt it syncs');
is($reader->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'promoted: and its version equals the table');
$writer->must('DELETE FROM docs WHERE id % 10 = 8');
$answer = $writer->query(q{SELECT * FROM s3v_sync('docs')});
is($answer->{state}, '55000', 'and now the old primary refuses');
like($answer->{err}, qr/HINT:.*s3v_adopt/, 'and says how to go on');
is($writer->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'its queries go on');

$reader->must('DELETE FROM notes WHERE id = 1');
like($reader->must(q{SELECT error FROM s3v_sync('notes', 'rebuild')}), qr/^$/, 's3v_local, promoted: a rebuild brings the files back');
$answer = $reader->query(q{SELECT s3v_explain('notes_s3v', test_vector(5, 32, 20))->>'path'});
is($answer->{out}, 'index', 's3v_local, promoted: and the index answers again');
unlike($answer->{err}, qr/WARNING/, 's3v_local, promoted: without a warning');
$_->quit foreach $reader, $writer;
unlike(log_of($_), qr/terminated by signal|PANIC|leak/, 'the log of ' . $_->name . ' shows no crash and no leak') foreach $primary, $standby;

done_testing();
