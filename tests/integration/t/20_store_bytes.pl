# Whole objects that are not the ones asked for, cache files that somebody else wrote, connections that cannot be trusted, and a bucket that
# keeps what is deleted: noticed, named, and never an answer (B3 to B6, B9, A19, A20).
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;
use Time::HiRes qw(time);

my $direct = require_s3();
my $s3 = S3vTest::Proxy->before($direct);
my $proxy = $s3->{proxy};
my $prefix = "it-bytes-$$";
my $node = new_cluster('bytes');
my $db = 'postgres';
my $directory = "$ENV{TESTDIR}/store";

mkdir $directory;
$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix) . "CREATE SERVER files FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://$directory')");
make_table($node, $db, 'docs', rows => 1500);
make_table($node, $db, 'twins', rows => 1500);
make_table($node, $db, 'wide', rows => 1500, dims => 48);
foreach my $index ([ 'docs_s3v', 'docs', 'files', 'cosine' ], [ 'twins_s3v', 'twins', 'files', 'cosine' ], [ 'wide_s3v', 'wide', 'files', 'cosine' ],
	[ 'metric_s3v', 'twins', 'files', 'l2' ], [ 'lake_s3v', 'docs', 'lake', 'cosine' ])
{
	my ($name, $table, $server, $metric) = @$index;
	$node->safe_psql($db, qq{SELECT s3v_create_index('$name', '$table', 'embedding', server => '$server', metric => '$metric', options => '{"lists": 20}')});
}

# Objects that an index's present version names: manifest, base, the newest delta, and its segments.
sub version_of
{
	my ($index) = @_;
	my ($uuid, $manifest, $base, $delta) = split /\|/, $node->safe_psql($db, qq{
		SELECT uuid, manifest, base, deltas[cardinality(deltas)] FROM s3v.index NATURAL JOIN s3v.version WHERE index_id = '$index'::regclass});

	return { uuid => $uuid, manifest => "$uuid/manifest/$manifest", base => "$uuid/nav/$base", delta => "$uuid/nav/$delta" };
}

sub content { my ($object) = @_; return slurp_file("$directory/$object"); }

sub put
{
	my ($object, $bytes) = @_;

	chmod 0600, "$directory/$object";
	open(my $file, '>:raw', "$directory/$object") or die "cannot write $object: $!";
	print $file $bytes;
	close $file;
	return;
}

# Of the index `docs_s3v`, by a session that knows nothing.
sub cold
{
	my ($sql) = @_;
	my $session = session($node, $db);
	my $answer = $session->query($sql // q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))});

	$session->quit;
	return $answer;
}

my $known = version_of('docs_s3v');
my ($segment) = map { s{^\Q$directory\E/}{}r } glob("$directory/$known->{uuid}/segment/*");
$node->safe_psql($db, q{UPDATE docs SET embedding = test_vector(id + 1, 32, 20) WHERE id % 9 = 0; SELECT * FROM s3v_sync('docs')});
my $present = version_of('docs_s3v');
my ($new_segment) = grep { $_ ne $segment } map { s{^\Q$directory\E/}{}r } glob("$directory/$known->{uuid}/segment/*");
ok($new_segment && $present->{delta} ne $known->{delta}, 'two versions, of two segments and two deltas');
is(cold()->{out}, '0', 'undamaged, the index equals the table');

# ---- other objects under the name of one ----------------------------------------------------------------------------------------

sub first_segment { my ($index) = @_; my $uuid = version_of($index)->{uuid}; return map { s{^\Q$directory\E/}{}r } (glob("$directory/$uuid/segment/*"))[0]; }

my @cases = (
	[ 'B3: base and delta are exchanged', { $present->{base} => $present->{delta}, $present->{delta} => $present->{base} } ],
	[ 'B3: two segments are exchanged', { $segment => $new_segment, $new_segment => $segment } ],
	[ 'B4: the delta is that of the version before', { $present->{delta} => $known->{delta} } ],
	[ 'B4: the new segment is the old one', { $new_segment => $segment } ]);
foreach my $other (
	[ 'another index of the same table\'s shape', 'twins_s3v' ], [ 'an index of more dimensions', 'wide_s3v' ], [ 'an index of another metric', 'metric_s3v' ])
{
	my ($whose, $index) = @$other;
	my $theirs = version_of($index);
	push @cases, [ "B9: the base is of $whose", { $present->{base} => $theirs->{base} } ], [ "B9: the delta is of $whose", { $present->{delta} => $theirs->{delta} } ],
	  [ "B9: the segment is of $whose", { $segment => first_segment($index) } ];
	push @cases, [ "B9: all objects are of $whose",
		{ $present->{base} => $theirs->{base}, $present->{delta} => $theirs->{delta}, $segment => first_segment($index) } ];
}
foreach my $case (@cases)
{
	my ($what, $places) = @$case;
	my %good = map { $_ => content($_) } keys %$places;
	my %bad = map { $_ => content($places->{$_}) } keys %$places;

	put($_, $bad{$_}) foreach keys %bad;
	my $answer = cold();
	is("$answer->{state} [$answer->{out}]", 'XX001 []', "$what: XX001, and no row") or diag($answer->{err});
	like($answer->{err}, qr/(@{[ join '|', map { quotemeta } keys %bad ]})/, "$what: an object is named");
	my $check = cold(q{SELECT missing, orphaned, stale, corrupt > 0 FROM s3v_check('docs') WHERE index = 'docs_s3v'::regclass});
	like("$check->{state} $check->{out}", qr/^(XX001 | .*\|t)$/, "$what: s3v_check notices") or diag("$check->{out} $check->{err}");
	put($_, $good{$_}) foreach keys %good;
}
{
	my $good = content($present->{manifest});
	put($present->{manifest}, content($known->{manifest}));
	my $answer = cold(q{SELECT * FROM s3v_gc('files', keep => '0')});
	like($answer->{err}, qr/WARNING:.*skipping index "docs_s3v"/, 'B4: the manifest is that of the version before: s3v_gc goes past the index');
	put($present->{manifest}, $good);
	is(cold()->{out}, '0', 'B4: and deleted nothing of it');
}
is(cold()->{out}, '0', 'put right, the index equals the table');

# ---- ten thousand objects of somebody else ------------------------------------------------------------------------------------------

{
	my $uuid = version_of('docs_s3v')->{uuid};
	my $count_foreign = sub { my $answer = cold(q{SELECT foreign_objects FROM s3v_gc('files', keep => '0')}); return $answer->{out} . $answer->{state}; };
	my @places = ("$uuid/segment/copy of ", "$uuid/nav/", "$uuid/", 'photos/', '00000000-0000-0000-0000-000000000000/segment/', '');
	my $foreign = $count_foreign->();

	mkdir "$directory/$_" foreach 'photos', '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000/segment';
	my @written = map { my $place = $places[ $_ % @places ]; "$place$_.jpg" } 1 .. 10_000;
	foreach my $name (@written)
	{
		open(my $file, '>', "$directory/$name") or die "$name: $!";
		print $file $name;
		close $file;
	}
	is($count_foreign->(), $foreign + @written, 'E9: s3v_gc tells 10,000 objects that are not ours, in six places');
	is(cold(q{SELECT sum(missing) + sum(corrupt) + sum(stale) FROM s3v_check('docs') WHERE index = 'docs_s3v'::regclass})->{out}, '0', 'E9: s3v_check is not misled');
	is(cold(q{SELECT * FROM s3v_sync('docs', 'rebuild')})->{state}, '', 'E9: a rebuild works');
	$node->safe_psql($db, q{SELECT s3v_create_index('brief_s3v', 'twins', 'embedding', server => 'files'); DROP FOREIGN TABLE brief_s3v});
	is($count_foreign->(), $foreign + @written, 'E9: nor does it take one of them with the objects of a dropped index, or of an older version');
	is(scalar(grep { !-e "$directory/$_" || slurp_file("$directory/$_") ne $_ } @written), 0, 'E9: all 10,000 are there as they were');
	is(cold()->{out}, '0', 'E9: the index equals the table');
	unlink map { "$directory/$_" } @written;
}

# ---- the network: another object for one that was asked for; once, and always ----------------------------------------------------

{
	my $lake = version_of('lake_s3v');
	my $query = q{SELECT test_differences('lake_s3v', 'docs', test_vector(77, 32, 20))};
	my $path = "/$direct->{bucket}/$prefix";

	foreach my $swap ([ $lake->{base}, $lake->{delta} ], [ $lake->{delta}, $lake->{base} ])
	{
		my ($asked, $given) = @$swap;
		my $kind = $asked eq $lake->{base} ? 'base' : 'delta';
		$proxy->rules("key=/$asked,nth=1,fault=swap,with=$path/$given");
		my $answer = cold($query);
		like("$answer->{state} [$answer->{out}]", qr/^( \[0\]|XX001 \[\])$/, "B3: another object for the $kind, once: the right answer or an error");
		$proxy->rules("key=/$asked,fault=swap,with=$path/$given");
		$answer = cold($query);
		is("$answer->{state} [$answer->{out}]", 'XX001 []', "B3: another object for the $kind, always: XX001");
		like($answer->{err}, qr/\Q$asked\E/, "B3: and the $kind is named");
	}
	$proxy->rules;
	is(cold($query)->{out}, '0', 'B5: what was wrong on the way alone is right again');
}

# ---- the cache directory -----------------------------------------------------------------------------------------------------------

{
	my $cache = "$ENV{TESTDIR}/cache";
	my $query = qq{SET s3v.cache_dir = '$cache'; SET s3v.cache_size = '64MB'; SELECT test_differences('lake_s3v', 'docs', test_vector(77, 32, 20))};
	my $top = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('lake_s3v', test_vector(5, 32, 20), 50, options => '{"probes": 1000}')};
	my $running = session($node, $db);
	my @files;
	my %good;
	# As a new file: those that are there may be mapped, and are never changed in place.
	my $replace = sub {
		my ($file, $bytes) = @_;
		open(my $handle, '>:raw', "$file.new") or die "cannot write $file.new: $!";
		print $handle $bytes;
		close $handle;
		rename("$file.new", $file) or die "cannot rename $file.new: $!";
	};
	my %damages = (
		'cut to half' => sub { $replace->($_, substr($good{$_}, 0, length($good{$_}) / 2)) foreach @files },
		'empty' => sub { $replace->($_, '') foreach @files },
		'foreign' => sub { $replace->($_, "another program's file\n" x 5000) foreach @files },
		'all exchanged' => sub { $replace->($files[$_], $good{ $files[ $_ - 1 ] }) foreach 0 .. $#files },
		'with flipped bits' => sub { foreach my $file (@files) { my $bytes = $good{$file}; substr($bytes, $_ * 997 % length($bytes), 1) ^= "\x10" foreach 1 .. 20; $replace->($file, $bytes) } },
		'removed' => sub { unlink @files },
		'removed with the directory' => sub { system_or_bail('rm', '-rf', $cache) },
		'directories' => sub { foreach my $file (@files) { unlink $file; mkdir $file } });

	$running->must(qq{SET s3v.cache_dir = '$cache'; SET s3v.cache_size = '64MB'});
	my $expected = $running->must($top);
	foreach my $damage (sort keys %damages)
	{
		cold($query);
		@files = grep { -f } glob("$cache/*");
		%good = map { $_ => slurp_file($_) } @files;
		cmp_ok(scalar(@files), '>=', 3, "B6: the cache has files, before they are $damage");
		$damages{$damage}->();
		is($running->query($top)->{out}, $expected, "B6: cache files $damage: a running session answers right");
		my $answer = cold($query);
		is("$answer->{state} $answer->{out}", ' 0', "B6: cache files $damage: so does a new one") or diag($answer->{err});
		rmdir $_ foreach grep { -d && !m{/tmp$} } glob("$cache/*");
	}
	$running->quit;
}

# ---- TLS ------------------------------------------------------------------------------------------------------------------------------

sub openssl { my (@arguments) = @_; my ($out, $err); IPC::Run::run([ 'openssl', @arguments ], '>', \$out, '2>', \$err) or die "openssl: $err"; return; }

my $certificates = "$ENV{TESTDIR}/tls";
mkdir $certificates;
openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=Test authority', '-keyout', "$certificates/ca.key", '-out', "$certificates/ca.pem");

my $openssl_takes_dates = `openssl x509 -help 2>&1` =~ /-not_after/;

# A certificate of that authority, for a host, for some days from now (negative: it has expired); key and certificate.
sub certificate
{
	my ($name, $host, $days) = @_;
	my $base = "$certificates/$name";

	open(my $file, '>', "$base.ext") or die;
	print $file "subjectAltName=$host\n";
	close $file;
	openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$name", '-keyout', "$base.key", '-out', "$base.csr");
	openssl('x509', '-req', '-in', "$base.csr", '-CA', "$certificates/ca.pem", '-CAkey', "$certificates/ca.key", '-CAcreateserial',
		# OpenSSL 3.4 takes no negative days, but dates, which releases before do not know.
		($days > 0 ? ('-days', $days) : $openssl_takes_dates ? ('-not_before', '20200101000000Z', '-not_after', '20200102000000Z') : ('-days', $days)), '-extfile', "$base.ext", '-out', "$base.pem");
	return ("$base.pem", "$base.key");
}

openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
	'-keyout', "$certificates/self.key", '-out', "$certificates/self.pem");
my %servers = (
	good => [ certificate('good', 'IP:127.0.0.1', 2) ],
	expired => [ certificate('expired', 'IP:127.0.0.1', -1) ],
	'wrong host' => [ certificate('wrong', 'DNS:elsewhere.example', 2) ],
	'self-signed' => [ "$certificates/self.pem", "$certificates/self.key" ],
	'old protocol' => [ certificate('old', 'IP:127.0.0.1', 2), '--tls-max', '1.1' ]);
my $authority = ", ca_file '$certificates/ca.pem'";
foreach my $kind (sort keys %servers)
{
	my $tls = S3vTest::Proxy->before($direct, tls => $servers{$kind});
	my $make = sub {
		my ($options) = @_;
		return "SET s3v.request_timeout = '4s'; " . server_sql('tls', $tls, prefix => $prefix, options => $options)
		  . q{SELECT s3v_create_index('tls_s3v', 'docs', 'embedding', server => 'tls')};
	};
	if ($kind eq 'good')
	{
		is(cold($make->($authority))->{state}, '', 'A20: with its authority named, a private certificate is trusted');
		cmp_ok(scalar($tls->{proxy}->requests), '>=', 4, 'A20: and requests arrive');
		is(cold(q{SELECT test_differences('tls_s3v', 'docs', test_vector(3, 32, 20))})->{out}, '0', 'A20: the index equals the table');
		# A server that a redirect, or a wrong option, brings down to plain HTTP.
		$tls->{proxy}->rules('fault=redirect');
		is(cold(q{SELECT * FROM s3v_query('tls_s3v', test_vector(3, 32, 20))})->{state}, '08006', 'A20: a redirect to http is not followed');
		$tls->{proxy}->rules;
		my $plain = cold(q{ALTER SERVER tls OPTIONS (SET endpoint 'http://store.example:80')});
		is($plain->{state}, '22023', 'A20: nor can the server be brought down to http without allow_http') or diag($plain->{err});
		$node->safe_psql($db, qq{ALTER SERVER tls OPTIONS (SET endpoint 'https://127.0.0.1:$proxy->{listen}')});
		my $answer = cold(q{SET s3v.request_timeout = '2s'; SELECT * FROM s3v_query('tls_s3v', test_vector(3, 32, 20))});
		is($answer->{state}, '08006', 'A20: a server that speaks no TLS is an error');
		$node->safe_psql($db, qq{ALTER SERVER tls OPTIONS (SET endpoint '$tls->{endpoint}')});
		$node->safe_psql($db, q{ALTER SERVER tls OPTIONS (DROP ca_file)});
		$tls->{proxy}->requests;
		is(cold(q{SELECT * FROM s3v_query('tls_s3v', test_vector(3, 32, 20))})->{state}, '08006', 'A20: without its authority it is not trusted');
		is(scalar($tls->{proxy}->requests), 0, 'A20: and nothing was sent');
		$node->safe_psql($db, q{DROP SERVER tls CASCADE});
		next;
	}
	my $answer = cold($make->($authority));
	is($answer->{state}, '08006', "A20: $kind: 08006") or diag($answer->{err});
	like($answer->{err}, qr/DETAIL:.*(certificate|SSL|TLS|subject)/i, "A20: $kind: which says why");
	# The limit of a request, and what a busy machine adds: the alternative is to wait for ever.
	cmp_ok($answer->{ms}, '<', 4000 + 10_000, sprintf('A20: %s: in time, after %.0f ms', $kind, $answer->{ms}));
	is(scalar($tls->{proxy}->requests), 0, "A20: $kind: and nothing was sent");
	is($node->safe_psql($db, q{SELECT count(*) FROM pg_class WHERE relname = 'tls_s3v'}), '0', "A20: $kind: nothing is left");
	$node->safe_psql($db, q{DROP SERVER tls CASCADE});
}

# ---- a bucket that keeps versions of its own ------------------------------------------------------------------------------------------

{
	my %versioned = (%$direct, bucket => "it-versioned-$$");
	S3vTest::s3_tool(\%versioned, '', 'make-bucket');
	$node->safe_psql($db, server_sql('versioned', \%versioned, prefix => 'p'));
	$node->safe_psql($db, q{SELECT s3v_create_index('versioned_s3v', 'docs', 'embedding', server => 'versioned')});
	foreach my $round (1 .. 3)
	{
		$node->safe_psql($db, "UPDATE docs SET embedding = test_vector(id + $round, 32, 20) WHERE id % 9 = $round; SELECT * FROM s3v_sync('docs')");
		is(cold(q{SELECT test_differences('versioned_s3v', 'docs', test_vector(3, 32, 20))})->{out}, '0', "A19: a versioned bucket, sync $round equals the table");
	}
	my ($deleted) = split /\|/, $node->safe_psql($db, q{SELECT deleted FROM s3v_gc('versioned', keep => '0')});
	cmp_ok($deleted, '>=', 4, "A19: s3v_gc deletes $deleted objects");
	is($node->safe_psql($db, q{SELECT deleted FROM s3v_gc('versioned', keep => '0')}), '0', 'A19: and finds none of them again');
	chomp(my $versions = S3vTest::s3_tool(\%versioned, '', 'delete-markers'));
	is($versions, $deleted, 'A19: the bucket keeps them, as it was told to');
	is(cold(q{SELECT test_differences('versioned_s3v', 'docs', test_vector(3, 32, 20))})->{out}, '0', 'A19: the index equals the table');
}
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
