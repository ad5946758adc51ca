/*
 * Sums of what queries and syncs of this database did. Each backend adds to a slot of its own in a file of the data directory, and goes on
 * with the sums that the last backend left there: nothing has to be done when a backend ends, and readers add all slots.
 *
 *   file = header | slot of backend 0 | slot of backend 1 | ...
 *   slot = copy | copy              written in turns: one of them is whole at any time, also after a crash
 *
 * A reset writes another generation into the header; slots of older ones count as empty.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "portability/instr_time.h"
#include "storage/fd.h"

#include "compat.h"
#include "stat.h"
#include "stat_file.h"

/* ---- the slot of this backend -------------------------------------------------------------------------------------------- */

static File file = -1;			/* of MyDatabaseId; the server closes it when it needs descriptors, and opens it again */
static StatCopy mine;			/* as it was written last */
static bool mine_is_read = false;
static StatSums unwritten;		/* noted since */

static void
forget_file(void)
{
	FileClose(file);
	file = -1;
	mine_is_read = false;
}

static bool
open_file(void)
{
	const int	flags = O_RDWR | O_CREAT | O_NOFOLLOW | PG_BINARY;
	char		path[MAXPGPATH];

	if (file >= 0)
		return true;
	stat_path(path, sizeof(path));
	file = PathNameOpenFilePerm(path, flags, S_IRUSR | S_IWUSR);
	if (file < 0 && errno == ENOENT && (mkdir(STAT_DIRECTORY, S_IRWXU) == 0 || errno == EEXIST))
		file = PathNameOpenFilePerm(path, flags, S_IRUSR | S_IWUSR);
	return file >= 0;
}

/* The header, which a file that was just made gets here. False: the file cannot be used now. */
static bool
read_header(StatHeader *header)
{
	struct stat status;
	int			attempts = 2;

	while (attempts-- > 0)
	{
		if (FileRead(file, (char *) header, sizeof(*header), 0, 0) == sizeof(*header) && stat_header_is_whole(header))
			break;
		if (attempts == 0 || FileGetRawDesc(file) < 0 || !stat_begin_generation(FileGetRawDesc(file), true))
			return false;
	}
	/* Whoever empties the directory by hand must not make this session write where nobody reads. */
	return FileGetRawDesc(file) >= 0 && fstat(FileGetRawDesc(file), &status) == 0 && status.st_nlink > 0;
}

static void
read_mine(void)
{
	char		slot[SLOT_BYTES] = {0};

	memset(&mine, 0, sizeof(mine));
	if (FileRead(file, slot, sizeof(slot), SLOT_OFFSET(S3V_BACKEND_SLOT), 0) < 0 || !stat_newest_copy(slot, &mine))
		memset(&mine, 0, sizeof(mine));
	mine_is_read = true;
}

/* What was noted into the file; what cannot be written now is written with the next note. Raises nothing once the file is open. */
static void
write_unwritten(void)
{
	StatHeader	header;
	StatCopy	next;
	off_t		at;

	if (file < 0)
		return;
	if (!read_header(&header))
	{
		forget_file();
		return;
	}
	if (!mine_is_read)
		read_mine();
	next = mine;
	if (next.generation != header.generation)
		memset(&next.sums, 0, sizeof(next.sums));
	stat_add_sums(&next.sums, &unwritten);
	next.sequence++;
	next.generation = header.generation;
	stat_seal_copy(&next);
	at = SLOT_OFFSET(S3V_BACKEND_SLOT) + (off_t) (next.sequence % COPIES) * COPY_BYTES;
	if (FileWrite(file, (char *) &next, sizeof(next), at, 0) != sizeof(next))
		return;
	mine = next;
	memset(&unwritten, 0, sizeof(unwritten));
}

/* ---- what is running ----------------------------------------------------------------------------------------------------- */

/* Queries within queries (in a function that a policy calls): deeper ones than these are noted, but their errors are not counted. */
#define MAX_RUNNING 16

typedef struct Running
{
	int			level;			/* of the (sub)transaction in which it began */
	instr_time	start;
} Running;

static Running running[MAX_RUNNING];
static int	running_count = 0;	/* may be more than there is room for */

/* Whatever began at this level, or deeper, has not ended: it raised. */
static void
count_errors(int level)
{
	int			errors = 0;

	while (running_count > 0 && (running_count > MAX_RUNNING || running[running_count - 1].level >= level))
	{
		errors += running_count <= MAX_RUNNING;
		running_count--;
	}
	if (errors == 0)
		return;
	unwritten.errors += errors;
	write_unwritten();
}

static void
transaction_ends(XactEvent event, void *arg)
{
	if (running_count > 0 && (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT))
		count_errors(0);
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId self, SubTransactionId parent, void *arg)
{
	if (running_count > 0 && event == SUBXACT_EVENT_ABORT_SUB)
		count_errors(GetCurrentTransactionNestLevel());
}

void
stat_begin(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(transaction_ends, NULL);
		RegisterSubXactCallback(subtransaction_ends, NULL);
		registered = true;
	}
	(void) open_file();			/* not at the end of a transaction */
	if (running_count < MAX_RUNNING)
	{
		running[running_count].level = GetCurrentTransactionNestLevel();
		INSTR_TIME_SET_CURRENT(running[running_count].start);
	}
	running_count++;
}

/* Ends what began last; milliseconds since then. */
static double
end_running(void)
{
	if (running_count > 0)
		running_count--;
	return running_count < MAX_RUNNING ? milliseconds_since(&running[running_count].start) : 0;
}

void
stat_note_query(int count, const S3vQueryWork *work)
{
	StatSums   *sums = &unwritten;

	(void) end_running();
	sums->queries += count;
	sums->waves += work->sent.waves;
	sums->requests += work->sent.get_requests + work->sent.put_requests + work->sent.delete_requests;
	sums->bytes += work->sent.bytes_read;
	sums->cache_hits += work->sent.cache_hits;
	sums->ms += work->ms_total;
	write_unwritten();
}

void
stat_note_sync(const S3vSyncResult *result)
{
	StatSums   *sums = &unwritten;
	double		ms = end_running();

	if (result->skipped)
		return;
	sums->syncs++;
	sums->rows += result->upserted + result->deleted;
	sums->sync_requests += result->requests;
	sums->bytes_written += result->bytes_written;
	sums->sync_ms += ms;
	write_unwritten();
}
