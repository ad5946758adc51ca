# The fault proxy (tests/support/fault_proxy.py) as a test sees it: it counts requests, holds them, breaks them.
package S3vTest::Proxy;

use strict;
use warnings;

use HTTP::Tiny ();
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time sleep);

my @running;

# In front of an S3 server as require_s3() tells it. Answers that hash with the proxy's endpoint, and the proxy in key proxy.
# tls => [certificate, key, further options of its command line]: it speaks TLS.
sub before
{
	my ($class, $s3, %params) = @_;
	my ($port) = $s3->{endpoint} =~ /:(\d+)$/;
	my ($certificate, $key, @more) = @{ $params{tls} // [] };
	my $self = bless { name => "$ENV{TESTDIR}/proxy" . scalar(@running), upstream => $port, listen => 0, secret => $s3->{secret_key},
		options => $key ? [ '--tls-cert', $certificate, '--tls-key', $key, @more ] : [], history => [] }, $class;

	push @running, $self;
	$self->start;
	return { %$s3, proxy => $self, endpoint => ($key ? 'https' : 'http') . "://127.0.0.1:$self->{listen}" };
}

# At the same address as before, when it had one.
sub start
{
	my ($self) = @_;
	my $ready = '';

	$self->_remember(split /\n/, slurp_file("$self->{name}.log")) if -e "$self->{name}.log";
	unlink "$self->{name}.log";
	local $ENV{S3V_PROXY_SECRET_KEY} = $self->{secret};
	$self->{run} = IPC::Run::start(
		[ '/usr/bin/python3', "$ENV{S3V_INTEGRATION_DIR}/../support/fault_proxy.py", '--upstream', $self->{upstream},
			'--listen', $self->{listen}, '--log', "$self->{name}.log", @{ $self->{options} } ],
		'<', \'', '>', \$ready, '2>>', "$self->{name}.err", IPC::Run::timeout(30));
	$self->{run}->pump until $ready =~ /\n/;
	my $ports = JSON::PP::decode_json($ready);
	@$self{qw(listen control)} = @$ports{qw(listen control)};
	return;
}

# Connections to it are then refused.
sub stop
{
	my ($self) = @_;

	$self->{run}->kill_kill if $self->{run};
	delete $self->{run};
	return;
}

sub _ask
{
	my ($self, $verb, $path, $body) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20)->request($verb, "http://127.0.0.1:$self->{control}$path", { content => $body // '' });

	die "the proxy refuses $verb $path: $answer->{content}" unless $answer->{success};
	return JSON::PP->new->allow_nonref->decode($answer->{content});
}

# The requests since the last call, each a hash: verb, path, query, range, request_bytes, status, bytes, fault, server,
# sha256, deleted.
sub requests
{
	my ($self) = @_;
	my $end = time + 10;
	my @lines;

	# A line is written when its request is over, which may be a moment after the client has its answer.
	for (;;)
	{
		@lines = split /\n/, slurp_file("$self->{name}.log");
		last if @lines >= $self->_ask('GET', '/requests');
		die 'the proxy logs less than it counts' if time > $end;
		sleep(0.005);
	}
	$self->_ask('DELETE', '/log');
	return $self->_remember(@lines);
}

sub _remember
{
	my ($self, @lines) = @_;
	my @requests = map { JSON::PP::decode_json($_) } @lines;

	push @{ $self->{history} }, @requests;
	return @requests;
}

# All requests it ever saw.
sub history
{
	my ($self) = @_;

	$self->requests;
	return @{ $self->{history} };
}

# The rules from now on, in the words of fault_proxy.py; none: it only counts.
sub rules
{
	my ($self, @rules) = @_;

	$self->_ask('PUT', '/rules', join("\n", @rules));
	return;
}

# How often the rules acted.
sub hits
{
	my ($self) = @_;
	my $hits = 0;

	$hits += $_->{hits} foreach @{ $self->_ask('GET', '/rules') };
	return $hits;
}

END
{
	my $status = $?;
	$_->stop foreach @running;
	$? = $status;
}

1;
