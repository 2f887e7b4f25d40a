#include "disk.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace axk1 {

Disk::Disk(const axk1_store &store) : refused_(size_t(store.n_files)) {
    for (int32_t i = 0; i < store.n_files; i++) {
        const axk1_file &one = store.files[i];
        int plain = open(one.path, O_RDONLY | O_CLOEXEC);
        if (plain < 0) {
            std::string reason = std::string(one.path) + ": " + std::strerror(errno);
            for (auto &file : files_) close(file.plain), file.direct >= 0 ? close(file.direct) : 0;
            throw std::invalid_argument(reason);
        }
        files_.push_back({one.path, static_cast<const uint8_t *>(one.map), one.bytes, plain, open(one.path, O_RDONLY | O_DIRECT | O_CLOEXEC)});
    }
}

Disk::~Disk() {
    for (auto &file : files_) {
        close(file.plain);
        if (file.direct >= 0) close(file.direct);
    }
}

bool Disk::find(const void *mapped, int32_t &file, int64_t &offset) const {
    auto *at = static_cast<const uint8_t *>(mapped);
    for (size_t i = 0; i < files_.size(); i++)
        if (at >= files_[i].map && at < files_[i].map + files_[i].bytes) {
            file = int32_t(i), offset = at - files_[i].map;
            return true;
        }
    return false;
}

std::string Disk::failed(const File &file, const std::string &reason) const { return file.path + ": " + reason; }

std::string Disk::read(int32_t number, int64_t offset, int64_t bytes, int64_t needed, uint8_t *to) {
    const File &file = files_[size_t(number)];
    bool direct = file.direct >= 0 && !refused_[size_t(number)];
    for (int64_t done = 0; done < needed;) {
        ssize_t got = pread(direct ? file.direct : file.plain, to + done, size_t(bytes - done), offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EINVAL && direct) {
            refused_[size_t(number)] = true;
            direct = false;
            continue;
        }
        if (got < 0) return failed(file, std::string("cannot be read: ") + std::strerror(errno));
        if (got == 0) return failed(file, "ends before byte " + std::to_string(offset + done) + ", it was longer when it was opened: restore it and open the model again");
        done += got;
        if (direct && done < needed && done % PAGE) direct = false; // an odd length in the middle of a file: no page begins here
    }
    if (!direct) posix_fadvise(file.plain, offset, bytes, POSIX_FADV_DONTNEED);
    return "";
}

void Disk::copy(const void *mapped, int64_t bytes, void *to) {
    int32_t number = 0;
    int64_t offset = 0;
    if (!find(mapped, number, offset)) {
        std::memcpy(to, mapped, size_t(bytes));
        return;
    }
    const File &file = files_[size_t(number)];
    for (int64_t done = 0; done < bytes;) {
        ssize_t got = pread(file.plain, static_cast<uint8_t *>(to) + done, size_t(bytes - done), offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw std::runtime_error(failed(file, got < 0 ? std::strerror(errno) : "is shorter than when it was opened: restore it and open the model again"));
        done += got;
    }
}

void Disk::forget() const {
    for (auto &file : files_) madvise(const_cast<uint8_t *>(file.map), size_t(page_up(file.bytes)), MADV_DONTNEED);
}

} // namespace axk1
