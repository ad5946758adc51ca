# Rows that come by logical replication, or with triggers switched to the replica role, are captured like any others; and a
# publication of all tables does not get in the way.
use strict;
use warnings;

use S3vTest;
use Test::More;

my $node = new_cluster('replication', allows_streaming => 'logical');

# Publisher and subscriber are two databases of one cluster: the slot is made beforehand, or both would wait for each other.
$node->safe_psql('postgres', 'CREATE DATABASE target');
S3vTest::add_extension($node, 'target');
make_table($node, 'postgres', 'docs', rows => 500);
$node->safe_psql('postgres', q{CREATE PUBLICATION docs_only FOR TABLE docs; SELECT pg_create_logical_replication_slot('docs_slot', 'pgoutput')});
make_table($node, 'target', 'docs', rows => 500);
$node->safe_psql('target', q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding')});
my $connection = $node->connstr('postgres');
$node->safe_psql('target', qq{CREATE SUBSCRIPTION docs_sub CONNECTION '@{[ $connection =~ s/'/''/gr ]}' PUBLICATION docs_only
	WITH (create_slot = false, slot_name = 'docs_slot', copy_data = false)});

sub replay { $node->wait_for_catchup('docs_sub'); return; }

$node->safe_psql(
	'postgres', q{
	INSERT INTO docs SELECT i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(1001, 1040) i;
	UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id <= 20;
	UPDATE docs SET id = id + 5000 WHERE id BETWEEN 101 AND 105;
	DELETE FROM docs WHERE id BETWEEN 201 AND 210});
replay();
is($node->safe_psql('target', 'SELECT count(*) FROM docs'), '530', 'rows are applied');
is($node->safe_psql('target', 'SELECT pending FROM s3v_indexes'), 40 + 20 + 2 * 5 + 10, 'applied changes are captured: inserts, updates, changed keys, deletes');
is(differences($node, 'target', 'docs_s3v', 'docs', 32), '0', 'and found by queries');
is($node->safe_psql('target', q{SELECT version, error FROM s3v_sync('docs')}), '2|', 'and synced');
is(differences($node, 'target', 'docs_s3v', 'docs', 32), '0', 'the version equals the table');

$node->safe_psql('postgres', 'TRUNCATE docs');
replay();
is(differences($node, 'target', 'docs_s3v', 'docs', 32), '0', 'an applied TRUNCATE empties the answer');
$node->safe_psql('postgres', q{INSERT INTO docs SELECT i, 'again', 1, true, test_vector(i, 32, 20) FROM generate_series(1, 50) i});
replay();
is(differences($node, 'target', 'docs_s3v', 'docs', 32), '0', 'and rows that come after it are found');
is($node->safe_psql('target', q{SELECT version, error FROM s3v_sync('docs')}), '3|', 'and synced');
is(differences($node, 'target', 'docs_s3v', 'docs', 32), '0', 'the version equals the table');

# A bad row stops at its writer, which here is the subscription: it must not slip into the table uncaptured.
is($node->safe_psql('target', q{SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL}), '1', 'the subscription runs');

# ---- session_replication_role = replica ----

my $session = session($node, 'target');
$session->must('SET session_replication_role = replica');
$session->must(q{INSERT INTO docs SELECT i, 'replica', 1, true, test_vector(i, 32, 20) FROM generate_series(2001, 2010) i});
$session->must('UPDATE docs SET embedding = test_vector(id + 3, 32, 20) WHERE id <= 5');
$session->must('DELETE FROM docs WHERE id = 10');
is($session->must('SELECT pending FROM s3v_indexes'), '16', 'session_replication_role = replica: changes are captured');
is($session->must(q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))}), '0', 'session_replication_role = replica: and found');
$session->must('TRUNCATE docs');
is($session->must(q{SELECT count(*) FROM s3v_query('docs_s3v', test_vector(77, 32, 20))}), '0', 'session_replication_role = replica: TRUNCATE, too');
$session->quit;
is($node->psql('target', q{SELECT * FROM s3v_sync('docs')}), 0, 'session_replication_role = replica: and synced');

# ---- FOR ALL TABLES ----

$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
make_table($node, 'postgres', 'notes', rows => 300);
$session = session($node, 'postgres');
my $answer = $session->query(q{SELECT s3v_create_index('notes_s3v', 'notes', 'embedding')});
is($answer->{state}, '', 'FOR ALL TABLES: an index can be made');
like($answer->{err}, qr/WARNING: .*publication "everything" is FOR ALL TABLES/, 'FOR ALL TABLES: with a warning');
$session->must('UPDATE notes SET embedding = test_vector(id + 1, 32, 20) WHERE id < 30');
$session->must('DELETE FROM notes WHERE id > 290');
is($session->must(q{SELECT version, error FROM s3v_sync('notes')}), '2|', 'FOR ALL TABLES: the bookkeeping can be updated and deleted from');
is($session->must(q{SELECT test_differences('notes_s3v', 'notes', test_vector(77, 32, 20))}), '0', 'FOR ALL TABLES: the version equals the table');
is($session->query(q{SELECT * FROM s3v_gc('s3v_local', keep => '0')})->{state}, '', 'FOR ALL TABLES: s3v_gc works');
is($session->query('DROP FOREIGN TABLE notes_s3v')->{state}, '', 'FOR ALL TABLES: the index can be dropped');
$session->quit;
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');
$node->safe_psql('target', 'DROP SUBSCRIPTION docs_sub');

done_testing();
