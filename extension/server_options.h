/* From the options of a server and of a user mapping to what the core opens. */
#ifndef S3V_SERVER_OPTIONS_H
#define S3V_SERVER_OPTIONS_H

#include "postgres.h"

#include "../src/api/s3v_c.h"

/*
 * Fills the config of a server with the credentials of `owner`'s user mapping, else PUBLIC's, in the current memory context. Raises
 * 42501 when the server's owner may not point it where it points (rights and s3v.allowed_endpoints may have changed since it was
 * made), 28000 when an s3:// server has no credentials for `owner`.
 */
extern void server_config(Oid server, Oid owner, s3v_store_config *config);

#endif
