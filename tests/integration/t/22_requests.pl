# Where requests may go, and what a store may answer: servers of roles that are no superusers reach no address that nobody allowed them, whatever
# they write; redirects are not followed; hostile answers are errors that read no file, fetch nothing and take no memory.
use strict;
use warnings;

# In a network of its own, in which every address is there and counts its visitors; without one, the part that needs it is skipped, and says so.
BEGIN
{
	my @own = ('unshare', '--user', '--map-current-user', '--net', '--keep-caps');

	if (!defined $ENV{S3V_OWN_NETWORK})
	{
		$ENV{S3V_OWN_NETWORK} = system(join(' ', @own, 'true 2>/dev/null')) == 0 ? 1 : 0;
		my $listener = "/usr/bin/python3 '$ENV{S3V_INTEGRATION_DIR}/lib/every_address.py' '$ENV{TESTDIR}'" . ($ENV{S3V_OWN_NETWORK} ? '' : ' --lonely');
		# Whoever sets the network up may keep his rights over it; the servers get none.
		my $run = qq{$listener </dev/null >>"\$TESTDIR/listener.log" 2>&1 & exec setpriv --inh-caps=-all --ambient-caps=-all "\$@"};
		exec(($ENV{S3V_OWN_NETWORK} ? @own : ()), 'sh', '-c', $run, 'sh', $^X, (map { "-I$_" } @INC), $0) or die "exec: $!";
	}
}

use IPC::Run ();
use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $own_network = $ENV{S3V_OWN_NETWORK};
wait_until('the listener', sub { -e "$ENV{TESTDIR}/ready" });
my ($listener, $redirecting, $answering, $lacking) = split /\n/, slurp_file("$ENV{TESTDIR}/ready");

END { kill 'TERM', $listener if defined $listener; }

# ---- names, as whoever owns them may have them resolved ----

my $library = "$ENV{TESTDIR}/names.so";
append_to_file("$ENV{TESTDIR}/names.c", <<'EOC');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>

static const char *const names[][2] = {
	{"loopback.test", "127.0.0.1"}, {"loopback.wild.test", "127.0.0.1"}, {"six.wild.test", "::1"}, {"mapped.wild.test", "::ffff:127.0.0.1"},
	{"zero.wild.test", "0.0.0.0"}, {"metadata.wild.test", "169.254.169.254"}, {"metadata6.wild.test", "fd00:ec2::254"},
	{"nat64.wild.test", "64:ff9b::7f00:1"}, {"bucket.loopback.test", "127.0.0.1"}, {"public.test", "192.0.2.1"},
	{"metadata.google.internal", "169.254.169.254"}, {"instance-data", "169.254.169.254"}};
static int rebinding;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node != NULL && strcmp(node, "rebinding.test") == 0)
		return original(rebinding++ % 2 == 0 ? "192.0.2.1" : "127.0.0.1", service, hints, result);
	for (size_t i = 0; node != NULL && i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(node, names[i][0]) == 0)
			return original(names[i][1], service, hints, result);
	}
	return original(node, service, hints, result);
}
EOC
system_or_bail('cc', '-shared', '-fPIC', '-o', $library, "$ENV{TESTDIR}/names.c", '-ldl');
my $environment_canary = 'canaryOfTheEnvironment0123456789';
my $node = new_cluster('requests', conf => "log_min_messages = debug5\nmax_connections = 30\n");
my $db = 'postgres';
$node->stop;
{
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{AWS_ACCESS_KEY_ID} = $environment_canary;
	local $ENV{AWS_SECRET_ACCESS_KEY} = $environment_canary;
	local $ENV{http_proxy} = "http://127.0.0.1:$answering";
	local $ENV{ALL_PROXY} = "http://127.0.0.1:$answering";
	$node->start;
}
make_table($node, $db, 'docs', rows => 200);
$node->safe_psql($db, q{CREATE ROLE joe LOGIN; GRANT USAGE ON FOREIGN DATA WRAPPER s3v TO joe; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO joe;
	GRANT CREATE ON SCHEMA public TO joe; CREATE TABLE joes AS SELECT * FROM docs; ALTER TABLE joes ADD PRIMARY KEY (id); ALTER TABLE joes OWNER TO joe});
my $joe = session($node, $db, user => 'joe');
my $super = session($node, $db);

sub connections { return split /\n/, slurp_file("$ENV{TESTDIR}/connections"); }

# All that were made until now have been accepted: one that comes after them is.
sub settled
{
	my $mark = 'settled-' . time;

	system(qq{/usr/bin/python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", $answering)); s.sendall(b"$mark\\r\\n\\r\\n")'}) == 0 or die 'no listener';
	wait_until('the listener accepts', sub { grep { /$mark/ } connections() });
	return grep { !/settled-/ } connections();
}

# Whatever uses a server: none of them may get a byte out.
my @uses = (
	q{SELECT s3v_create_index('joes_s3v', 'joes', 'embedding', server => 'target')},
	q{SELECT s3v_attach('attached', 'target', 'index')},
	q{SELECT * FROM s3v_gc('target')});

sub outcomes { return join ' ', sort keys %{ { map { $_ => 1 } @_ } }; }

# ---- endpoints that a role which is no superuser writes ----

my @hosts = ('127.0.0.1:7070', '127.0.0.1', '127.0.0.2:7070', 'localhost:7070', 'LOCALHOST:7070', 'localhost.:7070', 'a.localhost:7070', '0.0.0.0:7070', '0:7070',
	'[::1]:7070', '[::]:7070', '[::ffff:127.0.0.1]:7070', '[::ffff:7f00:1]:7070', '[0:0:0:0:0:ffff:7f00:0001]:7070', '[::127.0.0.1]:7070', '[64:ff9b::7f00:1]:7070', '[2002:7f00:1::]:7070',
	'2130706433:7070', '0x7f000001:7070', '0x7f.1:7070', '0x7f.0x0.0x0.0x1:7070', '0177.0.0.1:7070', '017700000001:7070', '00000177.0.0.1:7070', '127.1:7070', '127.0.1:7070', '127.0.0.1.:7070',
	'169.254.169.254', '169.254.169.254.:80', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '[::ffff:a9fe:a9fe]', '[fd00:ec2::254]', '169.254.170.2', '100.100.100.200',
	'metadata.google.internal', 'instance-data', 'loopback.test:7070', 'loopback.wild.test:7070', 'rebinding.test:7070', 'public.test:7070', '10.1.2.3:7070', '192.0.2.1:7070', '[2001:db8::1]:7070',
	'user@127.0.0.1:7070', 'user:secret@127.0.0.1:7070', 'public.test@127.0.0.1:7070', 'public.test:80@127.0.0.1:7070', '127.0.0.1:7070#public.test', '127.0.0.1:7070?public.test', '127.0.0.1:7070/public.test',
	'127.0.0.1:7070\\\\@public.test', '127.0.0.1%2f:7070', '%31%32%37.0.0.1:7070', 'local%68ost:7070', "127.0.0.1:7070\\r\\nX-Evil: 1", "127.0.0.1\\t:7070", ' 127.0.0.1:7070',
	"\x{ef}\x{bc}\x{91}\x{ef}\x{bc}\x{92}\x{ef}\x{bc}\x{97}.0.0.1:7070", "127\x{e3}\x{80}\x{82}0.0.1:7070", "\x{e2}\x{93}\x{9b}ocalhost:7070", "loc\x{c3}\x{a0}lhost:7070", 'xn--localhost-:7070', '127.0.0.1:07070', '127.0.0.1:+7070', '[::1%25lo]:7070', '[::1%lo]:7070');
my @endpoints = ((map { ("http://$_", "https://$_") } @hosts),
	'127.0.0.1:7070', '//127.0.0.1:7070', 'http:127.0.0.1:7070', 'http:/127.0.0.1:7070', 'http:///127.0.0.1:7070', 'ftp://127.0.0.1:7070', 'gopher://127.0.0.1:7070', 'dict://127.0.0.1:7070', 'file:///etc/passwd',
	'hTTp://127.0.0.1:7070', 'http+unix://%2ftmp', 'http://', 'https://:7070');

SKIP:
{
	skip('NO NETWORK NAMESPACE: requests to forbidden addresses are not tried (unshare --user --net is not allowed here)', 1) unless $own_network;

	my (%refused, %used);
	my $tried = 0;
	foreach my $endpoint (@endpoints)
	{
		foreach my $url ('s3://bucket', 's3vectors://bucket')
		{
			my $options = "OPTIONS (url '$url', endpoint E'$endpoint'";

			$refused{ $joe->query("CREATE SERVER mine FOREIGN DATA WRAPPER s3v $options)")->{state} }++;
			$tried++;
		}
		# What a superuser made, or let another have: rights count when it is used.
		my $url = $tried % 4 == 0 ? q{'s3://bucket', path_style 'true'} : q{'s3vectors://bucket'};
		my $options = "OPTIONS (url $url, endpoint E'$endpoint'" . ($endpoint =~ /^http:/i ? q{, allow_http 'true')} : ')');
		next if $super->query("CREATE SERVER target FOREIGN DATA WRAPPER s3v $options")->{state} ne '';
		$super->must(q{ALTER SERVER target OWNER TO joe; CREATE USER MAPPING FOR joe SERVER target OPTIONS (access_key_id 'a', secret_access_key 'b')});
		$used{ $joe->query($_)->{state} }++ foreach @uses;
		$super->must('DROP SERVER target CASCADE');
	}
	is(outcomes(keys %refused), '22023 42501', "$tried servers with " . scalar(@endpoints) . ' endpoints are refused');
	is(outcomes(keys %used), '0A000 42501', 'and those that superusers made for others: ' . join(', ', map { "$used{$_} times $_" } sort keys %used));
	is($super->query(q{SELECT count(*) FROM pg_foreign_server WHERE srvname <> 's3v_local'})->{out}, 0, 'no server is left behind');

	# without an endpoint, region and bucket make the host
	foreach my $region ('x@127.0.0.1:7070/', '127.0.0.1:7070/#', '127.0.0.1:7070', 'us-east-1.wild.test', 'us-east-1/..', "us-east-1\\r\\nHost: x", 'us east', '%31', 'a' x 300)
	{
		like($joe->query("CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', region E'$region')")->{state}, qr/^(22023|42501)$/, 'region ' . substr($region, 0, 30));
	}
	foreach my $url ('s3://127.0.0.1:7070/p', 's3://bucket?endpoint=http://127.0.0.1:7070', 's3://bucket/p?endpoint=http://127.0.0.1:7070', 's3://bucket/p#x', 's3://bucket/p%3fx', 's3://bucket/%2e%2e', 's3://bucket/a/../b',
		's3://bucket//a', 's3://user:pw@bucket/p', 's3://buc\\\\ket', "s3://bucket/a\\r\\nX-Evil: 1", "s3://bucket/a\\nb", 's3://bucket/' . 'a' x 1025, 's3://..', 's3://b',
		's3vectors://127.0.0.1', 's3vectors://bucket?x=1', 's3vectors://bucket/..', 's3vectors://bucket%2e')
	{
		my $shown = substr($url, 0, 60);

		$super->query('DROP SERVER mine');
		# Also to a superuser: names of buckets and prefixes are never parsed, so nothing that could be is taken.
		is($super->query("CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url E'$url', endpoint 'http://127.0.0.1:7070')")->{state}, '22023', "url $shown") unless $url =~ /^s3(vectors)?:\/\/127\.0\.0\.1$/;
		like($joe->query("CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url E'$url')")->{state}, qr/^(22023|42501)$/, "url $shown, of joe");
	}
	is(scalar(my @none = settled()), 0, 'in all of this nobody was connected to') or diag(join "\n", settled());

	# ---- names that the list allows, whoever has them resolved ----

	$node->append_conf('postgresql.conf', "s3v.allowed_endpoints = 'loopback.test, *.wild.test, rebinding.test, public.test, metadata.google.internal, 2130706433, 0x7f000001, 127.1, [2001:db8::1]:7070, 10.1.2.3'");
	$node->reload;
	wait_until('the list is read', sub { $joe->query('SHOW s3v.allowed_endpoints')->{out} =~ /public\.test/ });
	# Nothing here can be connected to at such an address, so nothing is shown by trying.
	my $needs_ipv6 = qr/^(six|mapped|metadata6|nat64)\.|^\[/;
  SKIP:
	{
		skip("IPV6 IS LACKING: servers at such addresses are not tried ($lacking)", 1) if $lacking;
		pass('the kernel has IPv6');
	}
	my $named = 0;
	foreach my $host (grep { !$lacking || !/$needs_ipv6/ } 'loopback.test', 'loopback.wild.test', 'six.wild.test', 'mapped.wild.test', 'zero.wild.test', 'metadata.wild.test', 'metadata6.wild.test', 'nat64.wild.test', 'metadata.google.internal', '2130706433', '0x7f000001', '127.1')
	{
		foreach my $how ([ "https://$host", '' ], [ "https://$host:7070", '' ], [ "http://$host:7070", q{, allow_http 'true'} ])
		{
			my $options = "OPTIONS (url 's3://bucket', path_style 'true', endpoint '$how->[0]'$how->[1])";

			if ($how->[1])
			{
				$super->must("CREATE SERVER target FOREIGN DATA WRAPPER s3v $options; ALTER SERVER target OWNER TO joe");
			}
			else
			{
				$joe->must("CREATE SERVER target FOREIGN DATA WRAPPER s3v $options");
			}
			$joe->must(q{CREATE USER MAPPING FOR joe SERVER target OPTIONS (access_key_id 'a', secret_access_key 'b')});
			my $answer = $joe->query($uses[0]);
			is($answer->{state}, '42501', "$how->[0] is allowed, but not where it leads");
			$named++;
			$super->must('DROP SERVER target CASCADE');
		}
	}
	is(scalar(@none = settled()), 0, "$named servers at allowed names that lead home: nobody was connected to") or diag(join "\n", settled());

	# ---- an allowed store sends on, and changes its address ----

	foreach my $host (grep { !$lacking || !/$needs_ipv6/ } 'public.test', '[2001:db8::1]', '10.1.2.3')
	{
		$super->must("CREATE SERVER target FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', path_style 'true', endpoint 'http://$host:7070', allow_http 'true'); ALTER SERVER target OWNER TO joe");
		$joe->must(q{CREATE USER MAPPING FOR joe SERVER target OPTIONS (access_key_id 'a', secret_access_key 'b')});
		foreach my $use (@uses[ 0, 2 ])
		{
			my $before = settled();
			isnt($joe->query($use)->{state}, '', "$host sends on: an error");
			cmp_ok(scalar(my @now = settled()), '>', $before, "$host was asked");
		}
		$super->must('DROP SERVER target CASCADE');
	}
	is(scalar(grep { !/^(192\.0\.2\.1|2001:db8::1|10\.1\.2\.3) 7070 / } settled()), 0, 'and nobody else: a redirect is not followed');
	my $asked = settled();
	for (my $i = 0; $i < 4; $i++)
	{
		# A process of its own each, which knows no name yet; the second look-up of a process has another answer.
		my $session = session($node, $db, user => 'joe');
		$super->must(q{CREATE SERVER target FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', path_style 'true', endpoint 'http://rebinding.test:7070', allow_http 'true'); ALTER SERVER target OWNER TO joe});
		$super->must(q{CREATE USER MAPPING FOR joe SERVER target OPTIONS (access_key_id 'a', secret_access_key 'b')});
		$session->query($uses[0]);
		# Other options: another store, with a client of its own, that looks the name up anew.
		$super->must("ALTER SERVER target OPTIONS (ADD region 'eu-west-$i')");
		is($session->query($uses[0])->{state}, '42501', 'a name with another address the second time: refused');
		$super->must('DROP SERVER target CASCADE');
		$session->quit;
	}
	cmp_ok(scalar(my @now = settled()), '>', $asked, 'the first address was asked');
	is(scalar(grep { !/^(192\.0\.2\.1|2001:db8::1|10\.1\.2\.3) 7070 / } settled()), 0, 'the second one never');
	is(scalar(grep { /Proxy|CONNECT|\Q$environment_canary\E/ } settled()), 0, 'proxy and keys of the environment are not used');
}

# ---- what a store answers ----

my $file_canary = 'canaryOfAFileOfThisMachine0123456789';
my $body_canary = 'canaryOfTheBodyOfAnAnswer0123456789';
my $secret = 'canaryOfTheSecretKey0123456789';
append_to_file("$ENV{TESTDIR}/secret.txt", $file_canary);
$super->must("CREATE SERVER lake FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket/prefix', path_style 'true', endpoint 'http://127.0.0.1:$answering')");
is($super->query(q{SELECT s3v_create_index('none_s3v', 'docs', 'embedding', server => 'lake')})->{state}, '28000', 'no mapping, no credentials: those of the environment are nobody\'s');
$super->must("CREATE USER MAPPING FOR CURRENT_USER SERVER lake OPTIONS (access_key_id 'key', secret_access_key '$secret', session_token 'aToken')");
$super->must(q{SELECT s3v_create_index('lake_s3v', 'docs', 'embedding', server => 'lake', options => '{"build": false}')});

sub answer_with
{
	my ($status, $body, @headers) = @_;
	my $text = join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length($body), 'Connection: close', @headers, '', $body);

	unlink "$ENV{TESTDIR}/answer.new";
	append_to_file("$ENV{TESTDIR}/answer.new", $text);
	rename("$ENV{TESTDIR}/answer.new", "$ENV{TESTDIR}/answer") or die;
	return;
}

my $xml = '<?xml version="1.0" encoding="UTF-8"?>';
my $laughs = "<!DOCTYPE l [<!ENTITY a '$body_canary'>" . join('', map { '<!ENTITY ' . chr($_) . " '" . ('&' . chr($_ - 1) . ';') x 20 . "'>" } ord('b') .. ord('k')) . ']>';
my $outside = "<!DOCTYPE l [<!ENTITY x SYSTEM 'file://$ENV{TESTDIR}/secret.txt'><!ENTITY % y SYSTEM 'http://127.0.0.1:$redirecting/dtd'> %y;]>";
my $list = '<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>';
my $object = '<Contents><Key>%s</Key><Size>9</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents>';
my $error = "<Error><Code>%s</Code><Message>$body_canary</Message><RequestId>%s</RequestId></Error>";
my %answers = (
	'a billion laughs in a list' => [ '200 OK', $xml . $laughs . sprintf($list, sprintf($object, '&k;')) ],
	'a billion laughs in an error' => [ '403 Forbidden', $xml . $laughs . sprintf($error, '&k;', '&k;') ],
	'a file in a list' => [ '200 OK', $xml . $outside . sprintf($list, sprintf($object, '&x;')) ],
	'a file in an error' => [ '403 Forbidden', $xml . $outside . sprintf($error, '&x;', '&x;') ],
	'an included file' => [ '200 OK', $xml . qq{<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://$ENV{TESTDIR}/secret.txt" parse="text"/></x>} ],
	'a million open elements' => [ '200 OK', $xml . '<a>' x 1e6 ],
	'a hundred thousand nested elements' => [ '200 OK', $xml . '<a>' x 1e5 . '</a>' x 1e5 ],
	'a hundred thousand attributes' => [ '200 OK', $xml . '<ListBucketResult ' . join(' ', map { "a$_='x'" } 1 .. 1e5) . '/>' ],
	'a list that never ends' => [ '200 OK', $xml . '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>' ],
	'paths out of the prefix' => [ '200 OK', $xml . sprintf($list, join '', map { sprintf $object, $_ } "../../etc/passwd", '/etc/passwd', "prefix/../x", "prefix/%2e%2e/x", "prefix/$body_canary") ],
	'a redirect' => [ '307 Temporary Redirect', sprintf($error, 'TemporaryRedirect', '7'), "Location: http://127.0.0.1:$redirecting/$body_canary" ],
	'a redirect to a file' => [ '301 Moved Permanently', '', "Location: file://$ENV{TESTDIR}/secret.txt" ],
	'an error with a long code' => [ '400 Bad Request', sprintf($error, 'x' x 5000, "\x{1b}[31m") ],
	'an error in what is no XML' => [ '403 Forbidden', "$body_canary { \"x\": 1 }" ],
	'bytes of no encoding' => [ '403 Forbidden', sprintf($error, "\xff\xfe\x00", "\xc3(") ],
	'more bytes than announced' => [ '200 OK', 'x' x 20e6 ],
	'compressed content' => [ '200 OK', "\x1f\x8b\x08\x00" . 'x' x 1000, 'Content-Encoding: gzip' ],
	'line breaks in headers' => [ '403 Forbidden', sprintf($error, 'x', 'y'), "x-amz-request-id: a\r\n $body_canary", "x-amz-bucket-region: x@127.0.0.1:$redirecting/" ],
	'nothing' => [ '200 OK', '' ]);
# The first one opens connections and buffers.
answer_with('403 Forbidden', sprintf($error, 'AccessDenied', '1'));
$super->must(q{SET s3v.request_timeout = '2s'});
$super->query($_) foreach q{SELECT * FROM s3v_gc('lake')}, q{SELECT * FROM s3v_sync('docs')};
my $told = '';
foreach my $what (sort keys %answers)
{
	my $redirected = grep { /^\S+ $redirecting / } settled();
	my $began = time;
	my @states;

	answer_with(@{ $answers{$what} });
	$super->reset_peak;
	my $rss = $super->status_kb('VmHWM');
	foreach my $use (q{SELECT * FROM s3v_gc('lake', '0')}, q{SELECT * FROM s3v_sync('docs')}, q{SELECT s3v_adopt('lake_s3v')})
	{
		my $answer = $super->query($use);
		push @states, $answer->{state};
		$told .= "$answer->{out}\n$answer->{err}\n";
		ok($answer->{alive}, "$what: the server lives");
	}
	like(join(' ', @states), qr/^(?!.*XX000)(?:[0-9A-Z]{5}|)(?: (?:[0-9A-Z]{5}|)){2}$/, "$what: @states");
	cmp_ok(time - $began, '<', 15, sprintf('%s: after %.1f s', $what, time - $began));
	cmp_ok($super->status_kb('VmHWM') - $rss, '<', 200e3, sprintf('%s: %.0f MB', $what, ($super->status_kb('VmHWM') - $rss) / 1e3));
	is(scalar(grep { /^\S+ $redirecting / } settled()), $redirected, "$what: nobody else was asked");
}
my $log = log_of($node);
# PostgreSQL logs its environment when it starts, and statements that fail.
my $ours = join("\n", grep { !/AWS_(?:SECRET_)?ACCESS_KEY|CREATE USER MAPPING/ } split /\n/, $log) . $told;
cmp_ok(length($log), '>', 5e4, 'the server wrote a long log, at debug5');
is(scalar(() = $ours =~ /\Q$_->[1]\E/g), 0, "$_->[0] is in no message and no line of the log")
  foreach [ 'the file of this machine', $file_canary ], [ 'the body of an answer', $body_canary ], [ 'the secret', $secret ], [ 'the environment', $environment_canary ];
unlike($ours, qr/\x1b\[31m/, 'and no control character of a store');
is(scalar(grep { /\Q$secret\E/ } connections()), 0, 'the secret never leaves');
is($node->safe_psql($db, q{SELECT count(*) FROM s3v_query('lake_s3v', test_vector(7, 32, 20), 10)}), 10, 'the table answers as before');
$_->quit foreach $joe, $super;
unlike($log, qr/terminated by signal|PANIC|leak:|reference leak/, 'the log shows no crash and no leak');

done_testing();
