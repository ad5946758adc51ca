/* The header must be plain C: this file is compiled as such, and its function called by api_test. */
#include "api/s3v_c.h"

int s3v_header_check(void);

int
s3v_header_check(void)
{
  s3v_env env = {0};
  s3v_error err = {0};
  s3v_keys *keys = 0;
  int found;

  if (env.stop_requested != 0 || s3v_keys_create(&keys, &err) != S3V_OK)
    return 0;
  if (s3v_keys_add(keys, "key", 3, &err) != S3V_OK)
    return 0;
  found = s3v_keys_contains(keys, "key", 3) && !s3v_keys_contains(keys, "kex", 3);
  s3v_keys_free(keys);
  return found;
}
