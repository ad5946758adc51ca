// Reads JSON text from front to back without making a tree of it: answers of the service are long lists of numbers,
// and rows of metadata that pass through as they are.
#pragma once

#include <string>
#include <string_view>

namespace s3v {

// All answer false for what is not there or not JSON; then nothing more may be asked of the cursor.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : rest_(text) {}

  // The next character that is no space, not taken; NUL at the end.
  char Peek();
  bool AtEnd() { return Peek() == '\0' && rest_.empty(); }

  bool ReadString(std::string* text);  // decoded
  bool ReadBoolean(bool* value);
  bool ReadNull();
  // Beyond the greatest double: infinite.
  bool ReadNumber(double* value);
  // The nearest float32; false beyond the greatest one.
  bool ReadFloat(float* value);
  // The text of a value of any type.
  bool SkipValue(std::string_view* raw);

  // on_member(key) reads the member's value from this cursor.
  template <class OnMember>
  bool ReadObject(const OnMember& on_member) {
    if (!Take('{')) return false;
    if (Take('}')) return true;
    std::string key;
    do {
      if (!ReadString(&key) || !Take(':') || !on_member(std::string_view(key))) return false;
    } while (Take(','));
    return Take('}');
  }
  // on_element() reads the element from this cursor.
  template <class OnElement>
  bool ReadList(const OnElement& on_element) {
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      if (!on_element()) return false;
    } while (Take(','));
    return Take(']');
  }

 private:
  bool Take(char c);
  bool TakeWord(std::string_view word);
  // The text of a number, if one is next.
  std::string_view TakeNumber();
  bool ReadEscape(std::string* text);
  bool ReadCodeUnit(unsigned* unit);
  bool Skip(int depth);

  std::string_view rest_;
};

}  // namespace s3v
