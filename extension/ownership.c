/* The fence seen from the server: who we are, and the token of our last attempt. */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "ownership.h"

/*
 * Below the data directory, and not under a name that base backups skip: whoever restores one continues the chain, until another
 * copy of it does.
 */
#define TOKEN_DIRECTORY "s3v_owner"

#define TOKEN_LENGTH 32

/*
 * Tokens of attempts whose outcome is not known, behind that of the last claim known to have succeeded. An attempt that failed
 * before its marker was written must not push the older one out, or we would take our own marker for a stranger's.
 */
#define TOKENS_KEPT 64

typedef struct Tokens
{
	int			count;
	int			copied;			/* the first ones: written by a data directory that this one is a copy of */
	char		token[TOKENS_KEPT][TOKEN_LENGTH + 1];
} Tokens;

/*
 * Tells a data directory from copies of it, as far as a file system can: files that are never replaced keep their inodes. As long as a
 * token, and none: it begins with an h.
 */
static void
home_of_tokens(char home[TOKEN_LENGTH + 1])
{
	struct stat version;
	struct stat control;

	if (stat("PG_VERSION", &version) != 0 || stat("global/pg_control", &control) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat files of the data directory: %m")));
	snprintf(home, TOKEN_LENGTH + 1, "h%015llx%016llx",
			 (unsigned long long) version.st_ino & UINT64CONST(0x0FFFFFFFFFFFFFFF), (unsigned long long) control.st_ino);
}

static char *
token_path(const char *uuid)
{
	return psprintf(TOKEN_DIRECTORY "/%u-%s", MyDatabaseId, uuid);
}

/* A line each: copied tokens, where the others were written, those. A line cut short by a crash is none: its attempt never began. */
static Tokens
read_tokens(const char *uuid)
{
	Tokens		tokens = {0};
	char	   *path = token_path(uuid);
	char		text[(1 + TOKENS_KEPT) * (TOKEN_LENGTH + 1)];
	char		home[TOKEN_LENGTH + 1];
	bool		is_here = false;
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	int			size;
	int			at;

	if (fd < 0)
	{
		if (errno != ENOENT)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not open file \"%s\": %m", path)));
		return tokens;
	}
	size = read(fd, text, sizeof(text));
	if (size < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	CloseTransientFile(fd);
	home_of_tokens(home);
	for (at = 0; at + TOKEN_LENGTH + 1 <= size; at += TOKEN_LENGTH + 1)
	{
		if (text[at] == 'h')
			is_here = memcmp(text + at, home, TOKEN_LENGTH) == 0;
		else if (tokens.count < TOKENS_KEPT)
		{
			memcpy(tokens.token[tokens.count++], text + at, TOKEN_LENGTH);
			if (!is_here)
				tokens.copied++;
		}
	}
	return tokens;
}

static int
add_line(char *text, int size, const char *line)
{
	memcpy(text + size, line, TOKEN_LENGTH);
	text[size + TOKEN_LENGTH] = '\n';
	return size + TOKEN_LENGTH + 1;
}

/* Durable before it returns. */
static void
write_tokens(const char *uuid, const Tokens *tokens)
{
	char	   *path = token_path(uuid);
	char	   *temporary = psprintf("%s.new", path);
	char		text[(1 + TOKENS_KEPT) * (TOKEN_LENGTH + 1)];
	char		home[TOKEN_LENGTH + 1];
	int			size = 0;
	int			fd;
	int			i;

	home_of_tokens(home);
	for (i = 0; i < tokens->copied; i++)
		size = add_line(text, size, tokens->token[i]);
	size = add_line(text, size, home);
	for (i = tokens->copied; i < tokens->count; i++)
		size = add_line(text, size, tokens->token[i]);
	if (MakePGDirectory(TOKEN_DIRECTORY) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", TOKEN_DIRECTORY)));
	fd = OpenTransientFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", temporary)));
	errno = 0;
	if (write(fd, text, size) != size)
	{
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", temporary)));
	}
	if (pg_fsync(fd) != 0)
		ereport(data_sync_elevel(ERROR),
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", temporary)));
	if (CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not close file \"%s\": %m", temporary)));
	durable_rename(temporary, path, ERROR);
}

bool
ownership_attempted(const char *uuid)
{
	Tokens		tokens = read_tokens(uuid);

	return tokens.count > tokens.copied;
}

uint64
ownership_claim(S3vCall *call, s3v_store *store, const char *uuid, uint64 recorded, S3vClaim claim)
{
	Tokens		known = read_tokens(uuid);
	Tokens		next = known;
	const char *pointers[TOKENS_KEPT];
	char		token[TOKEN_LENGTH + 1];
	s3v_identity identity;
	s3v_error	err;
	s3v_code	code;
	uint64_t	number = 0;
	int			first = claim == CLAIM_OWN ? known.copied : 0;
	int			i;

	identity.system_identifier = GetSystemIdentifier();
	identity.database = MyDatabaseId;
	identity.timeline = GetWALInsertionTimeLine();
	boundary_check(call, s3v_random_id(token, &err), &err);

	/* The first is the last known success and stays; of the doubtful ones behind it, the oldest makes room. */
	if (next.count == TOKENS_KEPT)
	{
		memmove(next.token[1], next.token[2], sizeof(next.token[0]) * (TOKENS_KEPT - 2));
		next.count--;
		if (next.copied > 1)
			next.copied--;
	}
	memcpy(next.token[next.count++], token, sizeof(token));
	write_tokens(uuid, &next);

	for (i = first; i < known.count; i++)
		pointers[i - first] = known.token[i];
	code = s3v_owner_claim(boundary_env(call), store, uuid, recorded, pointers, known.count - first, &identity, token, claim == CLAIM_ADOPT,
						   &number, &err);
	/* Its marker cannot be there. Many such attempts, as in an outage, must not push out one whose marker may be. */
	if (code != S3V_OK && number == 0)
		write_tokens(uuid, &known);
	boundary_check(call, code, &err);

	next.count = 1;
	next.copied = 0;
	memcpy(next.token[0], token, sizeof(token));
	write_tokens(uuid, &next);
	return number;
}

void
ownership_verify(S3vCall *call, s3v_store *store, const char *uuid, uint64 number)
{
	s3v_error	err;

	boundary_check(call, s3v_owner_verify(boundary_env(call), store, uuid, number, &err), &err);
}

void
ownership_forget(const char *uuid)
{
	/* Nothing depends on the file any more; what cannot be removed is a few bytes. */
	(void) unlink(token_path(uuid));
}
