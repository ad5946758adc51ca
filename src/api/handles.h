// What the wall's opaque handles hold.
#pragma once

#include <memory>
#include <vector>

#include "api/guard.h"
#include "api/s3v_c.h"
#include "engine/contents.h"
#include "engine/search.h"
#include "engine/snapshot.h"
#include "filter/expression.h"
#include "store/object_store.h"

struct s3v_store {
  std::unique_ptr<s3v::ObjectStore> objects;
  s3v::NavigationCache navigation;
};

struct s3v_filter {
  std::unique_ptr<const s3v::Expression> expression;
};

struct s3v_keys {
  s3v::KeySet set;
};

struct s3v_contents {
  s3v::EnvStop stop;
  std::vector<s3v::ObjectId> damaged;  // segments, left out
  s3v::IndexContents contents;
};
