// What long work asks of the process it runs in.
#pragma once

namespace s3v {

// Of all threads.
double ProcessCpuSeconds();

// glibc keeps freed blocks of several megabytes for itself once it has seen larger ones come and go; each phase would
// then add its peak to those before.
void ReturnFreedMemory();

}  // namespace s3v
