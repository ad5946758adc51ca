# Files that are not what they seem, caches that others could read, secrets and data in every place where they could show up, and readers who ask for
# too much.
use strict;
use warnings;

use Fcntl ':mode';
use POSIX ();
use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Service;
use Test::More;
use Time::HiRes qw(time sleep);

my $db = 'postgres';
# Of the secrets, and of what is in rows: written so that no statement here holds them whole.
my %secrets = (secret => 'canaryOfTheSecretKey0123456789', token => 'canaryOfTheSessionToken0123456789');
my %data = (key => 'keyCanary', metadata => 'metadataCanary', vector => '31415.9');
my $file_canary = 'canaryOfAFileOfThisMachine0123456789';
my $node = new_cluster('security', conf => <<'EOC');
log_min_messages = debug5
max_connections = 60
shared_preload_libraries = 'pg_stat_statements,auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
EOC
my @sessions;
my $errors = '';

# What everybody was told besides rows is kept.
sub note_errors { my ($answer) = @_; $errors .= "$answer->{err}\n"; return $answer; }

sub hits { my ($canary, $text) = @_; return scalar(() = $text =~ /\Q$canary\E/g); }

# auto_explain shows what the server itself plans, by the wish of whoever set it up: that is no line of ours.
sub without_plans
{
	my ($text) = @_;
	my ($kept, $plan) = ('', 0);

	foreach (split /\n/, $text)
	{
		$plan = /duration: [\d.]+ ms  plan:/ if /^(\d{4}-\d\d-\d\d |psql:|LOCATION: )/;
		$kept .= "$_\n" unless $plan;
	}
	return $kept;
}

sub cold
{
	my (%params) = @_;

	if (@sessions > 6)
	{
		(shift @sessions)->quit;
	}
	push @sessions, session($node, $db, %params);
	$sessions[-1]->must('SET client_min_messages = debug5') unless $params{quiet};
	return $sessions[-1];
}

$node->safe_psql($db, q{
	CREATE EXTENSION pg_stat_statements;
	CREATE ROLE owner; CREATE ROLE reader LOGIN; CREATE ROLE dumper LOGIN; CREATE ROLE joe LOGIN;
	GRANT pg_read_all_data TO dumper;
	GRANT USAGE ON FOREIGN DATA WRAPPER s3v TO joe;
	CREATE FUNCTION data_vector(i int) RETURNS real[] LANGUAGE sql AS $$ SELECT ARRAY[31415.0 + 0.9 + i * 0.001, i, 1, 1]::real[] $$;
	CREATE TABLE docs (id text PRIMARY KEY, note text, n int, v real[]);
	INSERT INTO docs SELECT 'key' || 'Canary' || i, 'metadata' || 'Canary' || i, i, data_vector(i) FROM generate_series(1, 600) i;
	ALTER TABLE docs OWNER TO owner});

# ---- objects that are no files, or files of others ----

my $directory = "$ENV{TESTDIR}/store";
my $elsewhere = "$ENV{TESTDIR}/elsewhere";
mkdir $_ foreach $directory, $elsewhere;
append_to_file("$elsewhere/secret", $file_canary x 1000);
$node->safe_psql($db, "CREATE SERVER files FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://$directory')");
$node->safe_psql($db, q{SELECT s3v_create_index('filed_s3v', 'docs', 'v', server => 'files', metric => 'l2', metadata => '{note,n}')});
my ($uuid, $manifest, $base, $delta) = split /\|/, $node->safe_psql($db, q{SELECT uuid, manifest, base, deltas[1] FROM s3v.index NATURAL JOIN s3v.version});
my ($segment) = map { s{.*/}{}r } glob("$directory/$uuid/segment/*");
my $query = q{SELECT count(*) FROM s3v_query('filed_s3v', data_vector(7), 5)};
is(cold()->query($query)->{out}, 5, 'file://: undamaged');

# Puts something else in the place of a path, looks at what is said, puts the path back.
sub in_place_of
{
	my ($path, $what, $make, @uses) = @_;

	rename($path, "$path.away") or die "$path: $!";
	$make->($path);
	foreach my $use (@uses)
	{
		my $session = cold();
		$session->must(q{SET s3v.on_missing = error});
		my $began = time;
		my $answer = note_errors($session->query($use));
		my $name = ($path =~ s{.*/([^/]+)/[^/]*$}{$1}r) . ", $what: " . ($use =~ s/\(.*//r);
		like($answer->{state}, qr/^(58P01|58030|XX001|42501|)$/, "$name: $answer->{state}");
		isnt($answer->{state}, '', "$name: an error") if $use eq $query;
		ok($answer->{alive}, "$name: the server lives");
		cmp_ok(time - $began, '<', 10, sprintf('%s: after %.1f s', $name, time - $began));
	}
	if (-d $path && !-l $path) { rmdir $path; } else { unlink $path; }
	rename("$path.away", $path) or die "$path: $!";
	return;
}

my %others = (
	'a link to a file' => sub { symlink("$elsewhere/secret", $_[0]) or die },
	'a link to /etc/passwd' => sub { symlink('/etc/passwd', $_[0]) or die },
	'a link to /proc/self/environ' => sub { symlink('/proc/self/environ', $_[0]) or die },
	'a link to a device' => sub { symlink('/dev/zero', $_[0]) or die },
	'a link to itself' => sub { symlink($_[0], $_[0]) or die },
	'a pipe' => sub { POSIX::mkfifo($_[0], 0600) or die },
	'a directory' => sub { mkdir $_[0] or die });
foreach my $object ("nav/$base", "nav/$delta", "segment/$segment")
{
	in_place_of("$directory/$uuid/$object", $_, $others{$_}, $query) foreach sort keys %others;
}
in_place_of("$directory/$uuid/manifest/$manifest", $_, $others{$_}, q{SELECT * FROM s3v_gc('files', '0')}, q{SELECT * FROM s3v_check('docs')}) foreach sort keys %others;

# Directories within the store that lead out of it: nothing is deleted there, whatever it is called.
my $bait = "$elsewhere/" . '0' x 31 . '7';
append_to_file($bait, 'x');
utime(1, 1, $bait);
foreach my $part ('segment', 'nav', 'manifest')
{
	in_place_of("$directory/$uuid/$part", 'a link to a directory', sub { symlink($elsewhere, $_[0]) or die }, q{SELECT * FROM s3v_gc('files', '0')}, q{SELECT * FROM s3v_sync('docs', 'rebuild')});
	ok(-e $bait, "$part is a link to a directory: s3v_gc deletes nothing there");
	is(join(' ', map { s{.*/}{}r } glob("$elsewhere/*")), ('0' x 31 . '7') . ' secret', "$part is a link to a directory: and nothing is written there");
}
# One that looks like an index that was dropped.
my $strange = '00000000-0000-4000-8000-000000000007';
mkdir "$elsewhere/victim";
mkdir "$elsewhere/victim/segment";
append_to_file("$elsewhere/victim/segment/" . '0' x 31 . '8', 'x');
symlink("$elsewhere/victim", "$directory/$strange") or die;
note_errors(cold()->query(q{SELECT * FROM s3v_gc('files', '0')}));
ok(-e "$elsewhere/victim/segment/" . '0' x 31 . '8', 'a folder that is a link: s3v_gc deletes nothing there');
unlink "$directory/$strange";
note_errors(cold()->query(q{SELECT * FROM s3v_sync('docs', 'reconcile')}));
is(cold()->query($query)->{out}, 5, 'file://: all put back, the index answers');

# Roots that a role without the rights to files cannot name.
{
	my $joe = cold(user => 'joe');
	my @urls = ('file:///etc', 'file:///etc/passwd', 'file:///proc/self', 'file:///proc/self/environ', 'file:///dev', 'file:///', 'file://', 'file://.', 'file://./', 'file://./base', 'file://./global', 'file://./s3vx',
		'file://./s3v/../base', 'file://./s3v/..', 'file://./s3v/%2e%2e/base', 'file://./s3v//base', 'file://./s3v/./base', 'file://../x', 'file://etc', 'file://localhost/etc', 'file:////etc', 'FILE:///etc', 'file:/etc', 'file://~/x',
		"file://$directory", "file://" . $node->data_dir . "/s3v/../base", "file://" . $node->data_dir . "/pg_wal", 'file://./S3V/x', "file://./s3v\\n/x", 'file://./pgsql_tmp_s3v', 'file://./s3v_owner');
	my %states;
	$states{ note_errors($joe->query("CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url E'$_')"))->{state} || $_ }++ foreach @urls;
	is(join(' ', sort keys %states), '22023 42501', scalar(@urls) . ' directories are refused to a role without rights to files');

	# What joe owns later: rights count when it is used.
	$node->safe_psql($db, 'CREATE TABLE joes (id int PRIMARY KEY, v real[]); ALTER TABLE joes OWNER TO joe; GRANT CREATE ON SCHEMA public TO joe; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO joe; ALTER SERVER files OWNER TO joe');
	is(note_errors($joe->query(q{SELECT s3v_create_index('joes_s3v', 'joes', 'v', server => 'files', options => '{"dimensions": 2}')}))->{state}, '42501', 'and so is a server there that he was given');
	is(note_errors($joe->query(q{SELECT * FROM s3v_gc('files')}))->{state}, '42501', 'for a clean-up as well');
	$node->safe_psql($db, 'ALTER SERVER files OWNER TO CURRENT_USER');
}

# ---- settings before the library is there, and through roles ----

{
	my %wanted = ('s3v.cache_dir' => '/tmp/evil', 's3v.cache_size' => '1GB', 's3v.max_k' => '1000000', 's3v.allowed_endpoints' => 'evil.example');

	foreach my $name (sort keys %wanted)
	{
		my $joe = cold(user => 'joe', quiet => 1);
		my $how = $joe->query("SET $name = '$wanted{$name}'");
		$joe->query(q{SELECT * FROM s3v_stat});
		my $now = $joe->must("SHOW $name");
		isnt($now, $wanted{$name}, "$name set before the library is loaded: $now");
		isnt($joe->query("SET $name = '$wanted{$name}'")->{state}, '', "$name afterwards: refused");
		$joe->query("ALTER ROLE joe SET $name = '$wanted{$name}'");
		my $later = cold(user => 'joe', quiet => 1);
		$later->query(q{SELECT * FROM s3v_stat});
		isnt($later->must("SHOW $name"), $wanted{$name}, "$name of the role: not taken");
		$node->safe_psql($db, "ALTER ROLE joe RESET ALL");
	}
}

# ---- the local cache ----

{
	my $service_free = q{SELECT s3v_warm('filed_s3v'), count(*) FROM s3v_query('filed_s3v', data_vector(9), 5)};
	my $open = "$ENV{TESTDIR}/open_cache";
	my $link = "$ENV{TESTDIR}/link_cache";
	mkdir $open;
	chmod 0777, $open;
	symlink($elsewhere, $link) or die;
	foreach my $case ([ 'anybody may write to it', $open ], [ 'it is a link', $link ], [ 'it is a file', "$elsewhere/secret" ], [ 'it is /proc', '/proc/self' ])
	{
		my $session = cold();
		my @before = glob("$case->[1]/* $elsewhere/*");
		$session->must("SET s3v.cache_dir = '$case->[1]'; SET s3v.cache_size = '64MB'");
		my $answer = note_errors($session->query($service_free));
		is($answer->{state}, '', "a cache directory, and $case->[0]: queries go on");
		is(join(' ', glob("$case->[1]/* $elsewhere/*")), join(' ', @before), "a cache directory, and $case->[0]: nothing is put there");
	}
	my $own = "$ENV{TESTDIR}/own_cache";
	my $session = cold();
	POSIX::umask(0);
	$session->must("SET s3v.cache_dir = '$own'; SET s3v.cache_size = '64MB'");
	$session->must($service_free);
	my @files = grep { -f } glob("$own/*"), glob("$own/*/*");
	cmp_ok(scalar(@files), '>', 0, 'a cache directory that is not there yet is made, ' . scalar(@files) . ' files');
	is(sprintf('%o', S_IMODE((stat $own)[2])), '700', 'for the server alone');
	is(join(' ', grep { S_IMODE((stat)[2]) != 0600 } @files), '', 'and so are its files');
}
foreach my $path (grep { -e } map { $node->data_dir . "/$_" } 'pgsql_tmp_s3v', 's3v', 's3v_owner')
{
	my @open = split /\n/, `find '$path' -perm /077 \\( -type f -o -type d \\)`;
	is(scalar(@open), 0, ($path =~ s{.*/}{}r) . ' is readable for the server alone') or diag(@open);
}

# ---- secrets and data ----

my $stub = S3vTest::Service->new;
$node->safe_psql($db, $stub->server_sql('service', role => 'owner', secret => $secrets{secret}, token => $secrets{token}));
$node->safe_psql($db, 'GRANT USAGE ON FOREIGN SERVER service TO owner');
$node->safe_psql($db, "CREATE SERVER lake FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', endpoint 'http://127.0.0.1:1', path_style 'true');
	CREATE USER MAPPING FOR owner SERVER lake OPTIONS (access_key_id 'key', secret_access_key '$secrets{secret}', session_token '$secrets{token}')");
note_errors(cold()->query(q{SELECT s3v_create_index('remote_s3v', 'docs', 'v', server => 'service', metric => 'l2', metadata => '{note,n}', options => '{"create_bucket": true, "build": false}')}));
note_errors(cold()->query(q{SELECT s3v_create_index('lake_s3v', 'docs', 'v', server => 'lake', metric => 'l2', metadata => '{note,n}', options => '{"build": false}')}));
$node->safe_psql($db, q{ALTER FOREIGN TABLE filed_s3v OWNER TO owner});
$node->safe_psql($db, "ALTER FOREIGN TABLE $_ OWNER TO owner") foreach split /\n/, $node->safe_psql($db, q{SELECT index_id FROM s3v.index});
$node->safe_psql($db, 'GRANT SELECT ON docs, ' . join(', ', split /\n/, $node->safe_psql($db, q{SELECT index_id FROM s3v.index})) . ' TO reader');
$node->safe_psql($db, q{UPDATE docs SET n = n + 1 WHERE n % 50 = 0});
my $looked = '';
my $titles = '';
foreach my $user ('postgres', 'reader')
{
	my $session = cold(user => $user);
	my @all = (
		(map { my $index = $_; ("SELECT * FROM s3v_query('$index', data_vector(7), 3)", "SELECT * FROM s3v_query('$index', data_vector(7), 3, '{\"n\": 7}')", "SELECT * FROM s3v_query_many('$index', ARRAY[data_vector(7)::text], 3)",
				"EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS) SELECT * FROM s3v_query('$index', data_vector(7), 3)", "SELECT s3v_explain('$index', data_vector(7), 3)", "SELECT s3v_recall('$index', 5)", "SELECT s3v_cost('$index')", "SELECT s3v_warm('$index')",
				"SELECT * FROM $index", "SELECT s3v_optimize('$index')", "SELECT s3v_adopt('$index')", "SELECT s3v_fork('$index')") } 'filed_s3v', 'remote_s3v', 'lake_s3v'),
		q{SELECT * FROM s3v_sync('docs')}, q{SELECT * FROM s3v_sync('docs', 'reconcile')}, q{SELECT * FROM s3v_check('docs')}, q{SELECT * FROM s3v_sync()},
		(map { "SELECT * FROM s3v_gc('$_')" } 'files', 'service', 'lake'), q{SELECT s3v_attach('other', 'service', 'x')},
		# one's own bad row may be named, the others not
		q{INSERT INTO docs SELECT 'own', 'x', 1, ARRAY[1, 2]::real[]}, q{UPDATE docs SET v = ARRAY['NaN', 1, 1, 1]::real[] WHERE n = 7 AND id = 'nobody'});

	note_errors($session->query($_)) foreach @all;
	foreach my $fault ('fault=403', 'fault=400', 'fault=503', 'fault=garbage', 'fault=cut,at=40')
	{
		$stub->faults($fault);
		$session->must(q{SET s3v.request_timeout = '200ms'});
		foreach my $use (grep { /remote_s3v|'service'|s3v_sync/ && !/recall|cost|fork|adopt|optimize/ } @all)
		{
			$session->send($use);
			# While it is at work.
			sleep(0.02);
			$titles .= slurp_file('/proc/' . $session->pid . '/cmdline') . "\n";
			note_errors($session->result);
		}
		$stub->faults();
	}
	# Views tell everybody what they tell.
	$looked .= join "\n", map { $session->query("SELECT x::text FROM $_ x")->{out} } 's3v_indexes', 's3v_progress', 's3v_stat', 's3v.index', 's3v.version', 's3v.history', 's3v.stale', 's3v.dropped', 'pg_stat_activity',
	  'pg_foreign_server', 'pg_settings', 'pg_stats', "(SELECT query FROM pg_stat_statements WHERE query !~* 'user mapping')";
	$looked .= $session->query('SELECT x::text FROM pg_user_mappings x')->{out} if $user eq 'reader';
}
is($node->safe_psql($db, q{SET ROLE reader; SELECT count(*), count(umoptions) FROM pg_user_mappings WHERE srvname IN ('service', 'lake')}), '2|0', 'pg_user_mappings shows another role that there are mappings');
my ($dump, $dump_errors) = ('', '');
IPC::Run::run([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-U', 'dumper', '--schema-only', $db ], '>', \$dump, '2>', \$dump_errors);
like($dump, qr/CREATE USER MAPPING FOR owner SERVER service/, 'a dump by another role has the mappings') or diag($dump_errors);

my $log = log_of($node);
cmp_ok(length($log), '>', 5e5, 'the server wrote a long log, at debug5: ' . length($log) . ' bytes');
my @lines = grep { !/CREATE USER MAPPING|^\t\tCREATE USER/ } split /\n/, $log;
cmp_ok(scalar(() = $titles =~ /\] SELECT/g), '>=', 5, 'titles of processes were looked at while these were at work');
foreach my $name (sort keys %secrets)
{
	my $canary = $secrets{$name};

	is(scalar(grep { /\Q$canary\E/ } @lines), 0, "$name: in no line of the log but the statement that set it");
	is(hits($canary, $_->[1]), 0, "$name: not in $_->[0]") foreach [ 'errors and debug lines of sessions', $errors ], [ 'views', $looked ], [ 'a dump', "$dump$dump_errors" ];
	is(hits($canary, $titles), 0, "$name: in no process title");
	is(system("grep -rqF '$canary' " . join(' ', map { "'$_'" } grep { -e } $directory, "$ENV{TESTDIR}/own_cache", map { $node->data_dir . "/$_" } 'pgsql_tmp_s3v', 's3v', 's3v_owner') . ' 2>/dev/null') >> 8, 1, "$name: in no file that s3v writes");
}
foreach my $name (sort keys %data)
{
	is(hits($data{$name}, without_plans($log)), 0, "$name of a row: in no line of the log");
	is(hits($data{$name}, without_plans($errors)), 0, "$name of a row: in no error and no debug line");
}
is(hits($file_canary, "$log$errors") + hits('root:x:0', "$log$errors"), 0, 'nor the content of a file that is none of an index');

# ---- readers who ask for much ----

$node->safe_psql($db, q{
	CREATE TABLE many (id int PRIMARY KEY, note text, v real[]);
	INSERT INTO many SELECT i, 'n' || i % 100, ARRAY[sin(i), cos(i), sin(i * 7), cos(i * 3)] FROM generate_series(1, 20000) i;
	GRANT SELECT ON many TO reader});
$node->safe_psql($db, q{SELECT s3v_create_index('many_s3v', 'many', 'v', metric => 'l2', metadata => '{note}'); GRANT SELECT ON many_s3v TO reader});
{
	my $reader = cold(user => 'reader', quiet => 1);
	my %refused = (
		'k = 2147483647' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 2147483647)},
		'k = 10001' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10001)},
		'k of many queries' => q{SELECT count(*) FROM s3v_query_many('many_s3v', ARRAY[[1,1,1,1]], 2147483647)},
		'k of a recall' => q{SELECT s3v_recall('many_s3v', 10, 2147483647)},
		'a sample of 2147483647' => q{SELECT s3v_recall('many_s3v', 2147483647)},
		'2147483647 lists' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10, options => '{"probes": 2147483647}')},
		'a filter as deep as 100,000' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10, (repeat('{"$and":[', 100000) || '{"note":"n1"}' || repeat(']}', 100000))::jsonb)},
		'a filter as deep as 1,000' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10, (repeat('{"$and":[', 1000) || '{"note":"n1"}' || repeat(']}', 1000))::jsonb)},
		'a filter of a million values' => q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10, jsonb_build_object('note', jsonb_build_object('$in', (SELECT jsonb_agg('x' || i) FROM generate_series(1, 1000000) i))))},
		'a vector of 100,000 dimensions' => q{SELECT count(*) FROM s3v_query('many_s3v', array_fill(1::real, ARRAY[100000]))});
	foreach my $what (sort keys %refused)
	{
		my $answer = $reader->query($refused{$what});
		like($answer->{state}, qr/^(22023|54001|54000)$/, sprintf('%s: %s after %.0f ms', $what, $answer->{state}, $answer->{ms}));
		cmp_ok($answer->{ms}, '<', 15000, "$what: soon");
	}
	is($reader->query('SET s3v.max_k = 100000')->{state}, '42501', 'the most that may be asked for is a superuser\'s to say');

	# the most that is allowed, by as many as there are connections, while others work
	$reader->must($query =~ s/filed_s3v', data_vector\(7\)/many_s3v', '[1,1,1,1]'/r);
	my $most = q{SELECT count(*) FROM s3v_query_many('many_s3v', ARRAY(SELECT v::text FROM many WHERE id <= 5), 10000, options => '{"probes": 1000000}')};
	my @greedy = map { session($node, $db, user => 'reader') } 1 .. 25;
	$_->must(q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10)}) foreach @greedy;
	my @peaks;
	foreach my $session (@greedy)
	{
		$session->reset_peak;
		push @peaks, $session->status_kb('VmHWM');
	}
	$_->send($most) foreach @greedy;
	my $other = session($node, $db);
	my $slowest = 0;
	for (1 .. 20)
	{
		my $answer = $other->query(q{SELECT count(*) FROM s3v_query('many_s3v', '[1,1,1,1]', 10)});
		is($answer->{out}, 10, 'others are served') if $_ == 1;
		$slowest = $answer->{ms} if $answer->{ms} > $slowest;
	}
	cmp_ok($slowest, '<', 20000, sprintf('within %.0f ms', $slowest));
	my @answers = map { $_->result } @greedy;
	is(join(' ', do { my %s = map { $_->{out} => 1 } @answers; keys %s }), 50000, scalar(@greedy) . ' sessions are answered in full');
	my $highest = 0;
	foreach my $i (0 .. $#greedy)
	{
		my $taken = $greedy[$i]->status_kb('VmHWM') - $peaks[$i];
		$highest = $taken if $taken > $highest;
	}
	cmp_ok($highest, '<', 300e3, sprintf('none takes more than %.0f MB', $highest / 1e3));
	$_->quit foreach @greedy, $other;
}
$_->quit foreach @sessions;
$log = log_of($node);
unlike($log, qr/terminated by signal|PANIC|leak:|reference leak/, 'the log shows no crash and no leak');

done_testing();
