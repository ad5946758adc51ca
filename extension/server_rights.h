/* Who may point a server where. */
#ifndef S3V_SERVER_RIGHTS_H
#define S3V_SERVER_RIGHTS_H

#include "postgres.h"

#include "../src/api/s3v_c.h"

extern bool is_file_url(const char *url);
extern bool needs_credentials(const char *url); /* of a user mapping: stores beyond this machine */

/*
 * Raises 42501 when `role` may not have such a server: superusers may name anything; other roles only directories below
 * <data>/s3v (unless they are members of pg_read_server_files and pg_write_server_files), hosts in s3v.allowed_endpoints, CA files
 * below the data directory. REQUIRES: s3v_store_check() took the config.
 */
extern void server_check_rights(const s3v_store_config *config, Oid role);

#endif
