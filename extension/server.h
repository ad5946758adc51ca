/* Servers: their options, who may make which, and open stores. */
#ifndef S3V_SERVER_H
#define S3V_SERVER_H

#include "postgres.h"

#include "storage/lockdefs.h"

#include "../src/api/s3v_c.h"

/*
 * The open store of a server, with the credentials of `owner`'s user mapping (else PUBLIC's). Kept open for the session, with its
 * connections and navigation tiers; opened anew when server, mapping or connection settings changed. Raises when the options
 * make no sense, when the server's owner may not point it there (42501), when an s3:// server has no credentials for `owner` (28000);
 * connects to nothing. Lives at least until the end of the transaction. Must not be kept longer: ask again.
 */
extern s3v_store *server_store(Oid server, Oid owner);

/* The same for an index: its server, the credentials of its owner. */
extern s3v_store *server_index_store(Oid index_id);

/* The wrapper's oid; raises 42704 when the extension is not installed here. */
extern Oid	server_wrapper(void);

/* A server by its name; raises 42704 when there is none, 42809 when it is another wrapper's. */
extern Oid	server_named(const char *name);

/* Against a DROP, to the end of the transaction; before any index of it is locked, as DROP SERVER ... CASCADE. Raises 42704 when it is gone. */
extern void server_lock(Oid server);

/*
 * To the end of the transaction, for prefixes below the server's url, which other servers may have, too: whoever makes one holds it in share
 * mode until it is known, whoever deletes unknown ones exclusively.
 */
extern void server_lock_prefixes(Oid server, LOCKMODE lockmode);

/* True when the relation is a foreign table of this wrapper. */
extern bool is_s3v_index(Oid relid);

/* The server's url, for messages: holds no secret. */
extern char *server_url(Oid server);

#endif
