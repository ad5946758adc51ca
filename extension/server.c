/* Servers: the wrapper they belong to, and the stores of this session. */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "fault_point.h"
#include "server.h"
#include "server_options.h"
#include "settings.h"

#define WRAPPER "s3v"

/* An open store and everything it was opened with. */
typedef struct OpenStore
{
	s3v_store  *store;
	char	   *config;
	LocalTransactionId retired_in;
	slist_node	node;
} OpenStore;

typedef struct StoreKey
{
	Oid			server;
	Oid			owner;
} StoreKey;

typedef struct StoreEntry
{
	StoreKey	key;			/* must be first */
	OpenStore  *open;			/* NULL: not opened, or no longer right */
	uint64		checked_at;		/* changes() when options, rights and settings were last looked at */
} StoreEntry;

static HTAB *stores = NULL;

/*
 * Replaced, but perhaps still in use: a search of the running transaction may read through it. Nothing of a transaction outlives it,
 * so stores retired in an earlier one can be closed.
 */
static slist_head retired = SLIST_STATIC_INIT(retired);

/* Goes up whenever a server, a user mapping or a role changes. */
static uint64 catalog_changes = 0;

/* ---- the wrapper --------------------------------------------------------------------------------------------------------- */

Oid
server_wrapper(void)
{
	Oid			wrapper = get_foreign_data_wrapper_oid(WRAPPER, true);

	if (!OidIsValid(wrapper))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"s3v\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION s3v.")));
	return wrapper;
}

Oid
server_named(const char *name)
{
	Oid			server = get_foreign_server_oid(name, false);

	if (GetForeignServer(server)->fdwid != server_wrapper())
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not of the foreign-data wrapper s3v", name)));
	return server;
}

void
server_lock(Oid server)
{
	const char *name = GetForeignServer(server)->servername;

	LockDatabaseObject(ForeignServerRelationId, server, 0, AccessShareLock);
	if (GetForeignServerExtended(server, FSV_MISSING_OK) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" was dropped by another transaction", name)));
}

void
server_lock_prefixes(Oid server, LOCKMODE lockmode)
{
	char	   *url = server_url(server);
	int			length = strlen(url);
	uint32		hash;

	while (length > 0 && url[length - 1] == '/')
		length--;
	/* Urls of the same hash share a lock: somebody waits who need not. */
	hash = hash_bytes((const unsigned char *) url, length);
	LockDatabaseObject(ForeignDataWrapperRelationId, server_wrapper(), (uint16) (hash ^ hash >> 16), lockmode);
}

bool
is_s3v_index(Oid relid)
{
	Oid			wrapper;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	wrapper = get_foreign_data_wrapper_oid(WRAPPER, true);
	return OidIsValid(wrapper) && GetForeignServer(GetForeignServerIdByRelId(relid))->fdwid == wrapper;
}

char *
server_url(Oid server)
{
	ListCell   *cell;

	foreach(cell, GetForeignServer(server)->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "url") == 0)
			return defGetString(option);
	}
	return pstrdup("");
}

/* ---- stores of the session ----------------------------------------------------------------------------------------------- */

static uint64
changes(void)
{
	return catalog_changes + s3v_connection_settings_changes;
}

static void
options_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	catalog_changes++;
}

static void
close_store(OpenStore *open)
{
	s3v_store_close(open->store);
	explicit_bzero(open->config, strlen(open->config));
	pfree(open->config);
	pfree(open);
}

/* Cannot fail. */
static void
retire(StoreEntry *entry)
{
	if (entry->open == NULL)
		return;
	/* At exit there is no MyProc any more, nor any use of stores. */
	entry->open->retired_in = MyProc != NULL ? S3V_LOCAL_TRANSACTION : InvalidLocalTransactionId;
	slist_push_head(&retired, &entry->open->node);
	entry->open = NULL;
}

static void
close_retired(bool all)
{
	slist_mutable_iter iter;

	slist_foreach_modify(iter, &retired)
	{
		OpenStore  *open = slist_container(OpenStore, node, iter.cur);

		if (!all && open->retired_in == S3V_LOCAL_TRANSACTION)
			continue;
		slist_delete_current(&iter);
		close_store(open);
	}
}

static void
retire_dropped(void)
{
	HASH_SEQ_STATUS scan;
	StoreEntry *entry;

	hash_seq_init(&scan, stores);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(entry->key.server)))
			continue;
		retire(entry);
		hash_search(stores, &entry->key, HASH_REMOVE, NULL);
	}
}

static void
close_at_exit(int code, Datum arg)
{
	HASH_SEQ_STATUS scan;
	StoreEntry *entry;

	if (boundary_cut_off())
		return;
	hash_seq_init(&scan, stores);
	while ((entry = hash_seq_search(&scan)) != NULL)
		retire(entry);
	close_retired(true);
	s3v_process_exit();
}

static void
prepare_stores(void)
{
	HASHCTL		control = {.keysize = sizeof(StoreKey), .entrysize = sizeof(StoreEntry)};

	if (stores != NULL)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, options_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, options_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, options_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, options_changed, (Datum) 0);
	on_proc_exit(close_at_exit, (Datum) 0);
	stores = hash_create("s3v stores", 8, &control, HASH_ELEM | HASH_BLOBS);
}

static void
append_field(StringInfo text, const char *value)
{
	/* With its length, so that no two configs read alike. */
	appendStringInfo(text, "%zu:%s;", value != NULL ? strlen(value) : 0, value != NULL ? value : "");
}

/* Equal for configs that open equal stores. Holds secrets. */
static char *
config_text(const s3v_store_config *config)
{
	StringInfoData text;

	initStringInfo(&text);
	append_field(&text, config->url);
	append_field(&text, config->region);
	append_field(&text, config->endpoint);
	append_field(&text, config->sse);
	append_field(&text, config->kms_key_id);
	append_field(&text, config->ca_file);
	append_field(&text, config->allowed_endpoints);
	append_field(&text, config->access_key_id);
	append_field(&text, config->secret_access_key);
	append_field(&text, config->session_token);
	append_field(&text, config->cache_directory);
	appendStringInfo(&text, UINT64_FORMAT " %d %d %d %d " INT64_FORMAT, config->cache_bytes, config->path_style, config->allow_http, config->check_address,
					 config->max_parallel_requests, config->request_timeout_ms);
	return text.data;
}

static OpenStore *
open_store(const s3v_store_config *config, const char *text)
{
	OpenStore  *open = MemoryContextAllocZero(TopMemoryContext, sizeof(OpenStore));
	s3v_error	err;
	s3v_code	code;

	open->config = MemoryContextStrdup(TopMemoryContext, text);
	code = s3v_store_open(config, &open->store, &err);
	if (code != S3V_OK)
	{
		open->store = NULL;
		close_store(open);
		boundary_raise(code, &err);
	}
	FAULT_POINTS_WATCH(open->store);
	return open;
}

s3v_store *
server_store(Oid server, Oid owner)
{
	StoreKey	key = {server, owner};
	StoreEntry *entry;
	bool		found;
	uint64		now;
	s3v_store_config config;
	char	   *text;

	prepare_stores();
	close_retired(false);
	entry = hash_search(stores, &key, HASH_ENTER, &found);
	if (!found)
		entry->open = NULL;
	now = changes();			/* before reading: what changes meanwhile is looked at next time */
	if (entry->open != NULL && entry->checked_at == now)
		return entry->open->store;

	server_config(server, owner, &config);
	text = config_text(&config);
	if (entry->open == NULL || strcmp(entry->open->config, text) != 0)
	{
		OpenStore  *open = open_store(&config, text);

		retire(entry);
		entry->open = open;
		retire_dropped();
	}
	explicit_bzero(text, strlen(text));
	entry->checked_at = now;
	return entry->open->store;
}

s3v_store *
server_index_store(Oid index_id)
{
	Oid			owner = relation_owner(index_id);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("index with OID %u does not exist", index_id)));
	return server_store(GetForeignTable(index_id)->serverid, owner);
}
