// The XML documents of S3. Answers come from a server that is not trusted: whatever does not look as it should is no
// answer. (pugixml reads no document type, so neither entities nor files can come in.)
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace s3v {

struct S3ErrorDocument {
  std::string code;
  std::string request_id;
  std::string region;  // of the bucket, where the server tells it
};

// An <Error> document; nothing if `body` is something else. Texts are cut to what is fit for an error message.
std::optional<S3ErrorDocument> ParseS3Error(ByteView body);

struct S3ListPage {
  std::vector<ObjectInfo> objects;  // whole keys of the bucket
  bool is_truncated = false;
  std::string next_token;
};

// A <ListBucketResult>. Keys are decoded if the document says that they are url-encoded (not every server does what
// encoding-type=url asks for). Nothing if anything is missing or makes no sense.
std::optional<S3ListPage> ParseS3List(ByteView body);

struct S3DeleteFailure {
  std::string key;
  std::string code;
};

// A <DeleteResult> of a quiet delete: the keys that could not be deleted.
std::optional<std::vector<S3DeleteFailure>> ParseS3DeleteResult(ByteView body);

// The body of a quiet DeleteObjects.
std::string WriteS3Delete(std::span<const std::string> keys);

// Letters, digits and the punctuation of names; at most 64 bytes. Other bytes become '?'.
std::string FitForMessage(std::string_view text);

}  // namespace s3v
