// test/properties/file_model.hpp: a file whose content is known.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_FILE_MODEL_HPP
#define ASIO_URING_TEST_PROPERTIES_FILE_MODEL_HPP

#include "../simulation/request.hpp"
#include <algorithm>
#include <sys/mman.h>
#include <sys/stat.h>
#include <vector>

/// A file in memory, and the content that it must have.
class file_model
{
public:
  explicit file_model(std::size_t size = 0) : number_(::memfd_create("model", MFD_CLOEXEC)), content_(size)
  {
    ::ftruncate(number_, static_cast<off_t>(size)) == 0 ? void() : std::abort();
    witness_ = ::fcntl(number_, F_DUPFD_CLOEXEC, own_numbers);
  }
  ~file_model() { ::close(witness_); }
  file_model(const file_model&) = delete;
  file_model& operator=(const file_model&) = delete;

  /// The descriptor, for the object under test, which owns it.
  int number() const noexcept { return number_; }
  std::size_t size() const noexcept { return content_.size(); }

  void wrote(std::size_t offset, const unsigned char* data, std::size_t n)
  {
    if (n == 0) return;
    content_.resize(std::max(content_.size(), offset + n));
    std::copy_n(data, n, content_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  bool holds(std::size_t offset, const unsigned char* data, std::size_t n) const
  {
    return n == 0 || (offset + n <= content_.size() &&
                      std::equal(data, data + n, content_.begin() + static_cast<std::ptrdiff_t>(offset)));
  }
  /// From now on the content is unknown.
  void forget() noexcept { unknown_ = true; }
  bool known() const noexcept { return !unknown_; }

  /// Whether a part has the content that it must have; by default the whole file.
  bool right(std::size_t offset = 0, std::size_t n = ~std::size_t{0}) const
  {
    if (unknown_) return true;
    const bool whole = n > content_.size();
    if (whole) n = content_.size();
    std::vector<unsigned char> is(n + 1);
    const ssize_t got = ::pread(witness_, is.data(), n + (whole ? 1 : 0), static_cast<off_t>(offset));
    return got == static_cast<ssize_t>(n) && holds(offset, is.data(), n);
  }

private:
  int number_;
  int witness_;
  std::vector<unsigned char> content_;
  bool unknown_ = false;
};

#endif // ASIO_URING_TEST_PROPERTIES_FILE_MODEL_HPP
