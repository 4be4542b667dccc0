// Which operators of libtorch ran on a thread and when, backward included: what a profile is made of.
#include "torch/bridge.h"

#include <ATen/record_function.h>

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace uniscale {
namespace {

/// One call of an operator. Times are nanoseconds of the monotonic clock; C# reads the same one.
struct OperatorCall {
    const char* name;
    int64_t begin, end;
    int64_t depth;  // operators that it runs within
};
static_assert(sizeof(OperatorCall) == 32);

struct Recording {
    std::vector<OperatorCall> calls;
    std::unordered_set<std::string> names;  // the calls' names: those of functions without a schema die with the call
    int64_t depth = 0;
    at::CallbackHandle handle = 0;
    bool active = false;
};

thread_local Recording recording;

struct Place : at::ObserverContext {
    explicit Place(size_t place) : index(place) {}
    size_t index;
};

int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::unique_ptr<at::ObserverContext> began(const at::RecordFunction& function) {
    const auto index = recording.calls.size();
    const char* name = recording.names.emplace(function.name()).first->c_str();
    recording.calls.push_back({name, now(), 0, recording.depth++});
    return std::make_unique<Place>(index);
}

void ended(const at::RecordFunction&, at::ObserverContext* context) {
    recording.depth--;
    recording.calls[static_cast<Place*>(context)->index].end = now();
}

}  // namespace
}  // namespace uniscale

using namespace uniscale;

/// Records the operators of the calling thread from now on. -1 with an error when it already does.
UNISCALE_API int32_t uniscale_recording_start() {
    return guarded(-1, [] {
        TORCH_CHECK(!recording.active, "this thread records its operators already");
        recording.calls.clear();
        recording.depth = 0;
        recording.handle = at::addThreadLocalCallback(at::RecordFunctionCallback(began, ended).scopes({at::RecordScope::FUNCTION}));
        recording.active = true;
        return 0;
    });
}

/// Ends what was started on this thread; returns the number of calls that were recorded.
UNISCALE_API int64_t uniscale_recording_stop() {
    return guarded<int64_t>(-1, [] {
        TORCH_CHECK(recording.active, "this thread records no operators");
        at::removeCallback(recording.handle);
        recording.active = false;
        return static_cast<int64_t>(recording.calls.size());
    });
}

/// The calls, in the order in which they began; valid until this thread starts again.
UNISCALE_API const void* uniscale_recording_calls() { return recording.calls.data(); }
