# The stub of Amazon S3 Vectors (tests/s3vectors_stub) as a test uses it: started, told what to do wrong, asked what it heard.
package S3vTest::Service;

use strict;
use warnings;

use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use Time::HiRes qw(time sleep);

my $here = $ENV{S3V_INTEGRATION_DIR};
my @running;

# Options are those of its command line.
sub new
{
	my ($class, @options) = @_;
	my $file = "$ENV{TESTDIR}/stub." . scalar(@running);
	my ($out, $err) = ('', '');
	my $self = bless { http => HTTP::Tiny->new }, $class;

	unlink $file;
	$self->{run} = IPC::Run::start([ '/usr/bin/python3', "$here/../s3vectors_stub/run", '--port-file', $file, @options ],
		'<', \undef, '>', \$out, '2>', "$file.log");
	push @running, $self;
	for (my $end = time + 30; !-s $file; sleep 0.05)
	{
		die "the stub of S3 Vectors did not start, see $file.log" if time > $end || !$self->{run}->pumpable;
	}
	my $ports = JSON::PP::decode_json(do { local (@ARGV, $/) = $file; <> });
	$self->{endpoint} = "http://127.0.0.1:$ports->{port}";
	$self->{control} = "http://127.0.0.1:$ports->{control}";
	return $self;
}

sub endpoint { return $_[0]->{endpoint}; }

# CREATE SERVER and a mapping for the current user. Overrides: bucket, options (more of them, as SQL), role, key, secret, token.
sub server_sql
{
	my ($self, $name, %params) = @_;
	my %all = (bucket => 'it-vectors', options => '', role => 'CURRENT_USER', key => 'stub-key', secret => 'stub-secret', %params);
	my $token = $all{token} ? ", session_token '$all{token}'" : '';

	return qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://$all{bucket}', region 'us-east-1',
			endpoint '$self->{endpoint}'$all{options});
		CREATE USER MAPPING FOR $all{role} SERVER $name OPTIONS (access_key_id '$all{key}', secret_access_key '$all{secret}'$token);};
}

sub control
{
	my ($self, $method, $path, $content) = @_;
	my $answer = $self->{http}->request($method, $self->{control} . $path, defined $content ? { content => $content } : {});

	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return JSON::PP::decode_json($answer->{content});
}

# Rules of faults, one a line; none: all is well again.
sub faults
{
	my ($self, @rules) = @_;

	$self->control('PUT', '/faults', join("\n", @rules));
	return;
}

sub switch
{
	my ($self, %switches) = @_;

	$self->control('PUT', '/switches', JSON::PP::encode_json(\%switches));
	return;
}

# What it heard since it was last asked, of one operation or of all: one hash for each request.
sub heard
{
	my ($self, $operation) = @_;
	my $log = $self->control('GET', '/log' . ($operation ? "?operation=$operation" : ''));

	$self->control('DELETE', '/log');
	return @{ ref $log eq 'ARRAY' ? $log : $log->{requests} };
}

# An operation without signature, faults and log; its answer.
sub do
{
	my ($self, $operation, %members) = @_;

	return $self->control('POST', "/do/$operation", JSON::PP::encode_json(\%members));
}

# Names of the indexes in a bucket.
sub indexes
{
	my ($self, $bucket) = @_;

	return sort map { $_->{indexName} } @{ $self->do('ListIndexes', vectorBucketName => $bucket // 'it-vectors')->{indexes} };
}

# Keys in an index.
sub keys_of
{
	my ($self, $index, $bucket) = @_;
	my (@keys, $token);

	do
	{
		my $page = $self->do('ListVectors', vectorBucketName => $bucket // 'it-vectors', indexName => $index,
			$token ? (nextToken => $token) : ());
		push @keys, map { $_->{key} } @{ $page->{vectors} };
		$token = $page->{nextToken};
	} while ($token);
	return @keys;
}

END
{
	my $status = $?;
	foreach my $stub (@running)
	{
		$stub->{run}->signal('TERM');
		eval { $stub->{run}->finish };
	}
	$? = $status;
}

1;
