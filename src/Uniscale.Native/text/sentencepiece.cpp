// SentencePiece for C#: a C interface over libsentencepiece.
//
// Text goes in as UTF-8 with its length, so it may hold any byte; tokens come out as int32. Functions that can fail return a negative number
// (or null) and leave the library's message in the caller's buffer. A model is safe to use from several threads.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#define UNISCALE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using Processor = sentencepiece::SentencePieceProcessor;

const Processor& model_of(const void* handle) { return *static_cast<const Processor*>(handle); }

void report(const std::string& message, char* error, int64_t error_capacity) {
    if (error_capacity <= 0) {
        return;
    }
    const auto length = std::min<size_t>(message.size(), static_cast<size_t>(error_capacity) - 1);
    std::memcpy(error, message.data(), length);
    error[length] = '\0';
}

int64_t copy_out(const std::string& text, char* out, int64_t capacity) {
    std::memcpy(out, text.data(), std::min<size_t>(text.size(), static_cast<size_t>(capacity)));
    return static_cast<int64_t>(text.size());
}

}  // namespace

/// Loads a model out of the bytes of its file; null when they are none. Freed with `uniscale_text_free`.
UNISCALE_EXPORT void* uniscale_text_load(const char* bytes, int64_t count, char* error, int64_t error_capacity) {
    try {
        auto model = std::make_unique<Processor>();
        const auto status = model->LoadFromSerializedProto({bytes, static_cast<size_t>(count)});
        if (status.ok()) {
            return model.release();
        }
        report(status.ToString(), error, error_capacity);
    } catch (const std::exception& exception) {
        report(exception.what(), error, error_capacity);
    }
    return nullptr;
}

UNISCALE_EXPORT void uniscale_text_free(void* handle) { delete static_cast<Processor*>(handle); }

/// Number of tokens, then the ids of unknown, begin, end and padding (-1 where a model has none).
UNISCALE_EXPORT void uniscale_text_describe(const void* handle, int32_t* out) {
    const auto& model = model_of(handle);
    out[0] = model.GetPieceSize();
    out[1] = model.unk_id();
    out[2] = model.bos_id();
    out[3] = model.eos_id();
    out[4] = model.pad_id();
}

/// Copies the piece of a token and returns its length in bytes (more than `capacity`: call again with room).
/// `kind`: 0 normal, 1 unknown, 2 control, 3 unused, 4 byte.
UNISCALE_EXPORT int64_t uniscale_text_piece(const void* handle, int32_t id, char* out, int64_t capacity, float* score, int32_t* kind) {
    const auto& model = model_of(handle);
    *score = model.GetScore(id);
    *kind = model.IsUnknown(id) ? 1 : model.IsControl(id) ? 2 : model.IsUnused(id) ? 3 : model.IsByte(id) ? 4 : 0;
    return copy_out(model.IdToPiece(id), out, capacity);
}

/// The id of a piece; the unknown id where there is none.
UNISCALE_EXPORT int32_t uniscale_text_id(const void* handle, const char* piece, int64_t bytes) {
    return model_of(handle).PieceToId({piece, static_cast<size_t>(bytes)});
}

/// Encodes a text and returns the number of tokens; only `capacity` of them are written.
UNISCALE_EXPORT int64_t uniscale_text_encode(
    const void* handle, const char* text, int64_t bytes, int32_t* ids, int64_t capacity, char* error, int64_t error_capacity) {
    thread_local std::vector<int> encoded;
    try {
        encoded.clear();
        const auto status = model_of(handle).Encode({text, static_cast<size_t>(bytes)}, &encoded);
        if (!status.ok()) {
            report(status.ToString(), error, error_capacity);
            return -1;
        }
        std::copy_n(encoded.begin(), std::min<size_t>(encoded.size(), static_cast<size_t>(capacity)), ids);
        return static_cast<int64_t>(encoded.size());
    } catch (const std::exception& exception) {
        report(exception.what(), error, error_capacity);
        return -1;
    }
}

/// Decodes tokens and returns the length of the text in bytes (more than `capacity`: call again with room).
UNISCALE_EXPORT int64_t uniscale_text_decode(
    const void* handle, const int32_t* ids, int64_t count, char* out, int64_t capacity, char* error, int64_t error_capacity) {
    try {
        std::string text;
        const auto status = model_of(handle).Decode(std::vector<int>(ids, ids + count), &text);
        if (!status.ok()) {
            report(status.ToString(), error, error_capacity);
            return -1;
        }
        return copy_out(text, out, capacity);
    } catch (const std::exception& exception) {
        report(exception.what(), error, error_capacity);
        return -1;
    }
}

/// Trains a model. `options` holds name and value in turn; returns 0, or -1 with a message.
UNISCALE_EXPORT int32_t uniscale_text_train(const char* const* options, int32_t pair_count, char* error, int64_t error_capacity) {
    try {
        std::unordered_map<std::string, std::string> named;
        for (int32_t i = 0; i < pair_count; ++i) {
            named[options[2 * i]] = options[2 * i + 1];
        }
        const auto status = sentencepiece::SentencePieceTrainer::Train(named);
        if (!status.ok()) {
            report(status.ToString(), error, error_capacity);
            return -1;
        }
        return 0;
    } catch (const std::exception& exception) {
        report(exception.what(), error, error_capacity);
        return -1;
    }
}
