// Inputs of targets that are about filters: a document and the rows that it is matched with.
#pragma once

#include <memory>

#include "filter/expression.h"
#include "fuzz/target.h"

namespace s3v::fuzz {

// One of each kind.
const std::vector<FilterColumn>& FilterInputColumns();
// Null when the document is refused.
std::unique_ptr<const Expression> CompileInput(std::string_view json);
// Well-formed rows, as many as the bytes hold, 100 at most.
std::vector<Bytes> RowsOfInput(ByteView bytes);

// Parts: document, rows.
std::vector<Bytes> FilterSeeds();
std::vector<std::string_view> FilterWords();

}  // namespace s3v::fuzz
