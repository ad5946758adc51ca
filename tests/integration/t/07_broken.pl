# Objects that are gone or damaged, buckets that do not exist, wrong keys, servers that cannot be reached: slow before wrong,
# wrong never, each with its SQLSTATE, and the secrets nowhere.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

my $s3 = require_s3();
my $prefix = "it-broken-$$";
my $canary = 'canaryOfTheSecretKey0123456789';
my $token_canary = 'canaryOfTheSessionToken0123456789';
my $node = new_cluster('broken', conf => "log_min_messages = debug5\nlog_error_verbosity = verbose\n");
my $db = 'postgres';
my @sessions;
my $told = '';

# A new session for each look at the store: nothing is cached in it. The last few stay open; what all were told is kept.
sub cold
{
	if (@sessions > 8)
	{
		my $oldest = shift @sessions;
		$oldest->quit;
		$told .= $oldest->transcript;
	}
	push @sessions, session($node, $db);
	return $sessions[-1];
}

# All rows in the order of their distance, through the index, every list probed; and by exact SQL.
my $all = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('%s', test_vector(7, 32, 20), 1000, options => '{"probes": 1000}')};
my $exact = q{SELECT string_agg(id::text, ' ' ORDER BY d, id::text) FROM (SELECT id, test_cosine(embedding, test_vector(7, 32, 20)) AS d FROM docs
	ORDER BY d, id LIMIT 1000) x};

make_table($node, $db, 'docs', rows => 3000, clusters => 3000);
my $truth = $node->safe_psql($db, $exact);

# ---- damaged: file:// makes it easy ----

my $directory = "$ENV{TESTDIR}/store";
mkdir $directory;
$node->safe_psql($db, "CREATE SERVER files FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://$directory')");
$node->safe_psql($db, q{SELECT s3v_create_index('filed_s3v', 'docs', 'embedding', server => 'files', metadata => '{category}')});
my ($uuid, $manifest, $base, $delta) = split /\|/, $node->safe_psql($db, q{SELECT uuid, manifest, base, deltas[1] FROM s3v.index NATURAL JOIN s3v.version});
my ($segment) = map { s{.*/}{}r } glob("$directory/$uuid/segment/*");
is(cold()->query(sprintf $all, 'filed_s3v')->{out}, $truth, 'file://: undamaged, the index equals the table');

# Runs `work` while the object's bytes are others.
sub with_damage
{
	my ($object, $damage, $work) = @_;
	my $path = "$directory/$uuid/$object";
	my $good = slurp_file($path);
	my $bad = $damage->($good);

	chmod 0600, $path;
	open(my $file, '>:raw', $path) or die "cannot write $path: $!";
	print $file $bad;
	close $file;
	$work->();
	open($file, '>:raw', $path) or die "cannot write $path: $!";
	print $file $good;
	close $file;
	return;
}

sub flip { my ($bytes, $at) = @_; substr($bytes, $at, 1) ^= "\x01"; return $bytes; }

my %damages = (
	'a flipped bit in the header' => sub { flip($_[0], 20) },
	'a flipped bit in the middle' => sub { flip($_[0], length($_[0]) / 3) },
	'one byte too few' => sub { substr($_[0], 0, -1) },
	'half of it' => sub { substr($_[0], 0, length($_[0]) / 2) },
	'nothing at all' => sub { '' },
	'other content' => sub { 'x' x length $_[0] });
foreach my $object ("nav/$base", "nav/$delta", "segment/$segment")
{
	foreach my $damage (sort keys %damages)
	{
		# The header of a segment is not read by a query, whose ranges all lie behind it; nor its last byte, of the metadata.
		next if $object =~ /^segment/ && $damage =~ /header|one byte/;
		with_damage(
			$object,
			$damages{$damage},
			sub {
				my $answer = cold()->query(sprintf $all, 'filed_s3v');
				is("$answer->{state} [$answer->{out}]", 'XX001 []', "$object, $damage: XX001, and no row");
				like($answer->{err}, qr/\Q$uuid\E\/\Q$object\E/, "$object, $damage: the object is named");
			});
	}
}
my $filtered = q{SELECT count(*) FROM s3v_query('filed_s3v', test_vector(7, 32, 20), 1000, '{"category": "c1"}', options => '{"probes": 1000}')};
# Of the metadata, which lies between codes and key plane: categories follow each other there.
sub in_metadata { $_[0] =~ /c\d.{1,40}?c\d.{1,40}?c\d/s or die 'no metadata'; return $-[0]; }
with_damage("segment/$segment", sub { flip($_[0], in_metadata($_[0])) }, sub {
		is(cold()->query($filtered)->{state}, 'XX001', 'damaged metadata: XX001 once a filter reads them');
		is(cold()->query(sprintf $all, 'filed_s3v')->{out}, $truth, 'damaged metadata: not before');
	});
with_damage("manifest/$manifest", sub { flip($_[0], length($_[0]) / 2) }, sub {
		my $before = join ' ', glob("$directory/$uuid/*/*");
		my $answer = cold()->query(q{SELECT * FROM s3v_gc('files', keep => '0')});
		is($answer->{state}, '', 'a damaged manifest: s3v_gc goes on with other indexes');
		like($answer->{err}, qr/WARNING:.*\b$manifest\b/s, 'a damaged manifest: and warns, naming it');
		my %now = map { $_ => 1 } glob("$directory/$uuid/*/*");
		is(scalar(grep { !$now{$_} } split / /, $before), 0, 'a damaged manifest: and deletes nothing');
	});
is(cold()->query(sprintf $all, 'filed_s3v')->{out}, $truth, 'repaired, the index equals the table');

# ---- missing ----

my $mapping = "USER MAPPING FOR CURRENT_USER SERVER lake OPTIONS";
$node->safe_psql($db, "CREATE SERVER lake FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://$s3->{bucket}/$prefix', endpoint '$s3->{endpoint}', path_style 'true')");
$node->safe_psql($db, "CREATE $mapping (access_key_id '$s3->{access_key}', secret_access_key '$s3->{secret_key}')");
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});
$uuid = $node->safe_psql($db, q{SELECT uuid FROM s3v.index WHERE index_id = 'docs_s3v'::regclass});
is(cold()->query(sprintf $all, 'docs_s3v')->{out}, $truth, 's3://: the index equals the table');

foreach my $kind ('segment', 'nav', '')
{
	my $what = $kind eq '' ? 'everything is gone' : "$kind is gone";
	my @keys = objects($s3, "$prefix/$uuid/$kind");
	cmp_ok(scalar(@keys), '>=', 1, "$what: " . scalar(@keys) . ' objects');
	delete_objects($s3, @keys);

	my $answer = cold()->query(sprintf $all, 'docs_s3v');
	is($answer->{out}, $truth, "$what: the answer is the table's");
	my @warnings = $answer->{err} =~ /WARNING:  (\S+:.*)/g;
	is(scalar(@warnings), 1, "$what: with one WARNING");
	like($warnings[0] // '', qr/^58P01: objects of index "docs_s3v" are missing/, "$what: which says so");
	like($answer->{err}, qr/DETAIL:.*$uuid\/\w+\/\w+/, "$what: and names one");
	like($answer->{err}, qr/HINT:.*reconcile/, "$what: and how to repair it");
	is(cold()->query(q{SELECT e->>'path', e->>'exact' FROM s3v_explain('docs_s3v', test_vector(7, 32, 20)) e})->{out}, 'source|true', "$what: s3v_explain says so");

	my $session = cold();
	$session->must('SET s3v.on_missing = error');
	$answer = $session->query(sprintf $all, 'docs_s3v');
	is($answer->{state}, '58P01', "$what: s3v.on_missing = error");
	is(cold()->query(q{SELECT * FROM s3v_query('docs_s3v', test_vector(7, 32, 20), options => '{"on_missing": "error"}')})->{state}, '58P01',
		"$what: the same as an option of the call");

	$session = cold();
	is($session->query(q{SELECT error FROM s3v_sync('docs', 'reconcile') WHERE index = 'docs_s3v'::regclass})->{state}, '', "$what: a reconcile works");
	$answer = cold()->query(sprintf $all, 'docs_s3v');
	is($answer->{out}, $truth, "$what: repaired, the index equals the table");
	unlike($answer->{err}, qr/WARNING/, "$what: repaired, without a warning");
}

# ---- a store that does not answer as it should is an error, never a scan ----

# Sets something, looks at what a query, a sync and a clean-up say, sets it back.
sub all_fail_with
{
	my ($what, $state, $pattern, $set, $reset) = @_;
	# One session that knew the store before, and one that did not.
	my $warm = cold();

	$warm->must(sprintf $all, 'docs_s3v');
	$node->safe_psql($db, $set);
	foreach my $session ($warm, cold())
	{
		my $who = $session == $warm ? 'a warm session' : 'a new session';
		$session->must(q{SET s3v.request_timeout = '3s'});
		my $answer = $session->query(sprintf $all, 'docs_s3v');
		is("$answer->{state} [$answer->{out}]", "$state []", "$what, $who: $state");
		like($answer->{err}, $pattern, "$what, $who: the message");
		cmp_ok($answer->{ms}, '<', 5000, sprintf('%s, %s: after %.0f ms', $what, $who, $answer->{ms}));
	}
	my $session = cold();
	$session->must(q{SET s3v.request_timeout = '3s'});
	foreach my $sql (q{SELECT * FROM s3v_sync('docs', 'rebuild')}, q{SELECT * FROM s3v_gc('lake')}, q{SELECT s3v_adopt('docs_s3v')},
		q{SELECT s3v_create_index('other_s3v', 'docs', 'embedding', server => 'lake')})
	{
		my $answer = $session->query($sql);
		is($answer->{state}, $state, "$what: $sql");
		like($answer->{err}, $pattern, "$what: $sql: the message");
	}
	my $row = $session->query('SELECT error FROM s3v_sync(mode => \'rebuild\') WHERE index = \'docs_s3v\'::regclass');
	like($row->{err}, $pattern, "$what: s3v_sync of all tables tells it in a WARNING");
	isnt($row->{out}, '', "$what: and in its row");
	$node->safe_psql($db, $reset);
	is($warm->query(sprintf $all, 'docs_s3v')->{out}, $truth, "$what: set right, the session that saw the errors goes on");
}

all_fail_with('no such bucket', '08001', qr/(ERROR|WARNING): .*bucket "no-such-bucket-\d+" does not exist at.*HINT:.*url/s,
	"ALTER SERVER lake OPTIONS (SET url 's3://no-such-bucket-$$/p')", "ALTER SERVER lake OPTIONS (SET url 's3://$s3->{bucket}/$prefix')");
all_fail_with('a wrong secret', '42501', qr/(ERROR|WARNING): .*permission denied by .*HINT:.*credentials/s,
	"ALTER $mapping (SET secret_access_key '$canary')", "ALTER $mapping (SET secret_access_key '$s3->{secret_key}')");
all_fail_with('an unknown key', '42501', qr/(ERROR|WARNING): .*permission denied by .*HINT:.*credentials/s,
	"ALTER $mapping (SET access_key_id 'nobody', SET secret_access_key '$canary')",
	"ALTER $mapping (SET access_key_id '$s3->{access_key}', SET secret_access_key '$s3->{secret_key}')");
all_fail_with('nobody listens', '08006', qr/127\.0\.0\.1:1\b/, "ALTER SERVER lake OPTIONS (SET endpoint 'http://127.0.0.1:1')",
	"ALTER SERVER lake OPTIONS (SET endpoint '$s3->{endpoint}')");
all_fail_with('no such host', '08006', qr/no-such-host\.invalid/,
	"ALTER SERVER lake OPTIONS (SET endpoint 'http://no-such-host.invalid:80', ADD allow_http 'true')",
	"ALTER SERVER lake OPTIONS (SET endpoint '$s3->{endpoint}', DROP allow_http)");

# A directory without the objects, as on a standby: they are missing, and the source is scanned.
rename($directory, "$directory.away") or die;
{
	my $answer = cold()->query(sprintf $all, 'filed_s3v');
	is($answer->{out}, $truth, 'file://: the directory is gone, and the answer is the table\'s');
	like($answer->{err}, qr/WARNING:  58P01: objects of index "filed_s3v" are missing/, 'file://: with a WARNING');
}
rename("$directory.away", $directory) or die;
is(cold()->query(sprintf $all, 'filed_s3v')->{out}, $truth, 'file://: back again');

# ---- the canaries ----

$node->safe_psql($db, "CREATE ROLE stranger LOGIN; GRANT SELECT ON docs, docs_s3v TO stranger");
my $stranger = session($node, $db, user => 'stranger');
push @sessions, $stranger;
# A token goes out with each request, signed; radosgw takes it or leaves it, and neither may print it.
$node->safe_psql($db, "ALTER $mapping (ADD session_token '$token_canary')");
cold()->query(q{SELECT * FROM s3v_query('docs_s3v', test_vector(7, 32, 20))});
$node->safe_psql($db, "ALTER $mapping (SET secret_access_key '$canary')");
foreach my $session (cold(), $stranger)
{
	$session->query($_)
	  foreach q{SELECT * FROM s3v_query('docs_s3v', test_vector(7, 32, 20))},
	  q{EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS) SELECT * FROM s3v_query('docs_s3v', test_vector(7, 32, 20)) h JOIN docs d ON d.id = h.key::int},
	  q{EXPLAIN VERBOSE SELECT * FROM docs_s3v}, q{SELECT * FROM docs_s3v}, q{SELECT s3v_explain('docs_s3v', test_vector(7, 32, 20))},
	  'SELECT * FROM s3v_indexes', 'SELECT * FROM s3v_progress', 'SELECT * FROM s3v.index, s3v.version, s3v.history',
	  'SELECT * FROM pg_stat_activity', 'SELECT * FROM pg_foreign_server', 'SELECT * FROM pg_settings', 'SELECT * FROM pg_prepared_statements',
	  q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_gc('lake')}, q{SELECT s3v_adopt('docs_s3v')};
}
$stranger->query('SELECT * FROM pg_user_mappings');
# Values that cannot be right are not shown, either.
my $answer = cold()->query("CREATE USER MAPPING FOR stranger SERVER lake OPTIONS (access_key_id 'x', secret_access_key '$canary with blanks')");
is($answer->{state}, '22023', 'a secret with blanks is refused');
$answer = cold()->query("ALTER SERVER lake OPTIONS (ADD secret_access_key '$canary')");
is($answer->{state}, 'HV00D', 'a secret does not belong on a server');
my $log = log_of($node);
cmp_ok(length($log), '>', 1e5, 'the server wrote a long log, at debug5');
foreach my $secret ($canary, $token_canary, $s3->{secret_key})
{
	# What users write is theirs: the statements that set it.
	my @lines = grep { /\Q$secret\E/ && !/(CREATE|ALTER) USER MAPPING|ALTER SERVER lake OPTIONS \(ADD secret/ } split /\n/, $log;
	is(scalar(@lines), 0, 'a secret is in no line of the log but the statements that set it') or diag($lines[0]);
	unlike($told . join('', map { $_->transcript } @sessions), qr/\Q$secret\E/, 'nor in anything that a session was told');
	is(scalar(grep { -r "/proc/$_/cmdline" && slurp_file("/proc/$_/cmdline") =~ /\Q$secret\E/ } map { $_->pid } @sessions), 0, 'nor in a process title');
	is(system("grep -rqF '$secret' '" . $node->data_dir . "/pgsql_tmp_s3v' '" . $node->data_dir . "/s3v_owner' '$directory' 2>/dev/null") >> 8, 1,
		'nor in a file that s3v writes');
}
$_->quit foreach @sessions;
unlike($log, qr/terminated by signal|PANIC|leak:|reference leak/, 'the log shows no crash and no leak');

done_testing();
