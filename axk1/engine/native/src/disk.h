// Reads of whole pages from a model's files, past the system's page cache where the file system allows it: what is read
// once in a while would push out the weights that every token needs.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "axk1.h"

namespace axk1 {

constexpr int64_t PAGE = 4096; // offsets, lengths and addresses of direct reads are multiples of it

inline int64_t page_down(int64_t n) { return n / PAGE * PAGE; }
inline int64_t page_up(int64_t n) { return page_down(n + PAGE - 1); }

class Disk {
  public:
    explicit Disk(const axk1_store &store); // throws std::invalid_argument for a file that cannot be opened
    ~Disk();
    Disk(const Disk &) = delete;
    // The file and the offset in it that a mapped address stands for; false when it is in no file.
    bool find(const void *mapped, int32_t &file, int64_t &offset) const;
    // Whole pages from `offset` on, of which the first `needed` bytes must exist. Any thread. "" or what went wrong.
    std::string read(int32_t file, int64_t offset, int64_t bytes, int64_t needed, uint8_t *to);
    // A few mapped bytes, without touching the map. Throws std::runtime_error.
    void copy(const void *mapped, int64_t bytes, void *to);
    // Gives back what the caller's map holds in memory of all files: the pages stay known to the system.
    void forget() const;

  private:
    struct File {
        std::string path;
        const uint8_t *map;
        int64_t bytes;
        int plain, direct; // direct is -1 where the file system refuses it
    };
    std::string failed(const File &file, const std::string &reason) const;
    std::vector<File> files_;
    std::vector<std::atomic<bool>> refused_; // a direct read was refused though opening was not
};

} // namespace axk1
