/*
 * Keys between the server and the core: a datum or its text, and bytes whose memcmp order is the type's own
 * (src/format/segment.h, KeyKind).
 */
#include "postgres.h"

#include "boundary.h"
#include "source.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#define MAX_TEXT_KEY_BYTES 65535
#define INTEGER_KEY_BYTES ((int) sizeof(int64))
#define SIGN_BIT (UINT64CONST(1) << 63)

int
key_kind_of(Oid base_type)
{
	switch (base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return S3V_KEY_INTEGER;
		case UUIDOID:
			return S3V_KEY_UUID;
		case TEXTOID:
		case VARCHAROID:
			return S3V_KEY_TEXT;
		default:
			return 0;
	}
}

static S3vKey
copy_key(const void *data, int size)
{
	S3vKey		key;

	key.data = palloc(Max(size, 1));
	key.size = size;
	memcpy(key.data, data, size);
	return key;
}

static S3vKey
integer_key(int64 value)
{
	uint64		bytes = pg_hton64((uint64) value ^ SIGN_BIT);

	return copy_key(&bytes, INTEGER_KEY_BYTES);
}

static S3vKey
text_key(const char *data, int size)
{
	if (size > MAX_TEXT_KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("key of %d bytes is longer than the %d bytes that s3v takes", size, MAX_TEXT_KEY_BYTES)));
	return copy_key(data, size);
}

static int64
integer_from_datum(Datum value, Oid base_type)
{
	switch (base_type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

S3vKey
key_from_datum(Datum value, Oid base_type, s3v_key_kind kind)
{
	text	   *string;
	S3vKey		key;

	switch (kind)
	{
		case S3V_KEY_INTEGER:
			return integer_key(integer_from_datum(value, base_type));
		case S3V_KEY_UUID:
			return copy_key(DatumGetUUIDP(value)->data, UUID_LEN);
		default:
			string = DatumGetTextPP(value);
			key = text_key(VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
			if ((Pointer) string != DatumGetPointer(value))
				pfree(string);
			return key;
	}
}

S3vKey
key_from_text(const char *text, Oid base_type, s3v_key_kind kind)
{
	PGFunction	input;

	if (kind == S3V_KEY_TEXT)
		return text_key(text, strlen(text));

	if (kind == S3V_KEY_UUID)
		input = uuid_in;
	else
		input = base_type == INT2OID ? int2in : base_type == INT4OID ? int4in : int8in;
	return key_from_datum(DirectFunctionCall1(input, CStringGetDatum(text)), base_type, kind);
}

static void
refuse_key(int size)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("index holds a key of %d bytes that is none of its key type", size)));
}

/* Keys may come from a store, whose bytes nobody vouches for: whatever leaves here is a valid value of its type. */
static int64
integer_from_key(const void *key, int size)
{
	uint64		bytes;

	if (size != INTEGER_KEY_BYTES)
		refuse_key(size);
	memcpy(&bytes, key, sizeof(bytes));
	return (int64) (pg_ntoh64(bytes) ^ SIGN_BIT);
}

static pg_uuid_t *
uuid_from_key(const void *key, int size)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (size != UUID_LEN)
		refuse_key(size);
	memcpy(uuid->data, key, UUID_LEN);
	return uuid;
}

static void
verify_text_key(const void *key, int size)
{
	if (!pg_verify_mbstr(GetDatabaseEncoding(), key, size, true))
		refuse_key(size);
}

char *
key_to_text(const void *key, int size, s3v_key_kind kind)
{
	char		digits[MAXINT8LEN + 1];

	switch (kind)
	{
		case S3V_KEY_INTEGER:
			return pnstrdup(digits, pg_lltoa(integer_from_key(key, size), digits));
		case S3V_KEY_UUID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid_from_key(key, size))));
		default:
			verify_text_key(key, size);
			return pnstrdup(key, size);
	}
}

Datum
key_to_datum(const void *key, int size, Oid base_type, s3v_key_kind kind)
{
	int64		value;

	switch (kind)
	{
		case S3V_KEY_INTEGER:
			value = integer_from_key(key, size);
			if (base_type == INT8OID)
				return Int64GetDatum(value);
			if (base_type == INT4OID)
				return DirectFunctionCall1(int84, Int64GetDatum(value));
			return DirectFunctionCall1(int82, Int64GetDatum(value));
		case S3V_KEY_UUID:
			return UUIDPGetDatum(uuid_from_key(key, size));
		default:
			verify_text_key(key, size);
			return PointerGetDatum(cstring_to_text_with_len(key, size));
	}
}

static void
free_key_set(void *keys)
{
	s3v_keys_free(keys);
}

s3v_keys *
key_set_make(void)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_key_set);
	s3v_error	err;

	boundary_raise(s3v_keys_create((s3v_keys **) &handle->ptr, &err), &err);
	return handle->ptr;
}
