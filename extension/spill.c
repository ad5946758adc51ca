/* Temporary files of one call into the core, for builds that do not fit into maintenance_work_mem. */
#include "postgres.h"

#include "commands/tablespace.h"
#include "lib/ilist.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "boundary.h"
#include "spill.h"

/* FileRead and FileWrite count in int. */
#define CHUNK (64 * 1024 * 1024)

#define CLOSED ((File) -1)

struct S3vSpill
{
	MemoryContext context;
	ResourceOwner owner;
	File	   *files;
	int			count;
	dlist_node	node;			/* in live */
	MemoryContextCallback callback;
};

/* The end of a resource owner must reach them. */
static dlist_head live = DLIST_STATIC_INIT(live);

/* The resource owner has closed its files by now, and their numbers may go to others. */
static void
forget_closed_files(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	dlist_iter	iter;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS)
		return;
	dlist_foreach(iter, &live)
	{
		S3vSpill   *spill = dlist_container(S3vSpill, node, iter.cur);

		if (spill->owner == CurrentResourceOwner)
		{
			for (int i = 0; i < spill->count; i++)
				spill->files[i] = CLOSED;
		}
	}
}

static void
end_spill(void *arg)
{
	S3vSpill   *spill = arg;

	if (boundary_cut_off())
		return;					/* the server removes the files on its way out */
	dlist_delete(&spill->node);
	for (int i = 0; i < spill->count; i++)
		spill_remove(spill, i);
}

S3vSpill *
spill_begin(MemoryContext context, ResourceOwner owner)
{
	static bool registered = false;
	S3vSpill   *spill = MemoryContextAllocZero(context, sizeof(S3vSpill));

	if (!registered)
	{
		RegisterResourceReleaseCallback(forget_closed_files, NULL);
		registered = true;
	}
	spill->context = context;
	spill->owner = owner;
	dlist_push_tail(&live, &spill->node);
	spill->callback.func = end_spill;
	spill->callback.arg = spill;
	MemoryContextRegisterResetCallback(context, &spill->callback);
	return spill;
}

int
spill_open(S3vSpill *spill)
{
	ResourceOwner current = CurrentResourceOwner;
	Size		size = (spill->count + 1) * sizeof(File);

	if (spill->files == NULL)
		spill->files = MemoryContextAlloc(spill->context, size);
	else
		spill->files = repalloc(spill->files, size);

	/* Not the owner of the moment: that may be a query of ours that feeds the build and ends before it. */
	CurrentResourceOwner = spill->owner;
	PG_TRY();
	{
		PrepareTempTablespaces();
		spill->files[spill->count] = OpenTemporaryFile(false);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = current;
	}
	PG_END_TRY();
	return spill->count++;
}

static File
open_file(S3vSpill *spill, int number)
{
	if (spill == NULL || number < 0 || number >= spill->count || spill->files[number] == CLOSED)
		elog(ERROR, "temporary file %d is not open", number);
	return spill->files[number];
}

void
spill_write(S3vSpill *spill, int number, uint64 offset, const void *data, size_t size)
{
	File		file = open_file(spill, number);
	char	   *from = unconstify(char *, (const char *) data);

	while (size > 0)
	{
		int			amount = (int) Min(size, CHUNK);

		if (FileWrite(file, from, amount, (off_t) offset, WAIT_EVENT_BUFFILE_WRITE) != amount)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to temporary file \"%s\": %m", FilePathName(file))));
		from += amount;
		offset += amount;
		size -= amount;
	}
}

void
spill_read_back(S3vSpill *spill, int number, uint64 offset, void *data, size_t size)
{
	File		file = open_file(spill, number);
	char	   *to = data;

	while (size > 0)
	{
		int			got = FileRead(file, to, (int) Min(size, CHUNK), (off_t) offset, WAIT_EVENT_BUFFILE_READ);

		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read from temporary file \"%s\": %m", FilePathName(file))));
		if (got == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("temporary file \"%s\" ends before offset " UINT64_FORMAT, FilePathName(file), offset + size)));
		to += got;
		offset += got;
		size -= got;
	}
}

void
spill_remove(S3vSpill *spill, int number)
{
	File		file;

	if (spill == NULL || number < 0 || number >= spill->count || spill->files[number] == CLOSED)
		return;
	file = spill->files[number];
	spill->files[number] = CLOSED;	/* first: never twice */
	FileClose(file);
}
