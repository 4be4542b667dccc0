// Errors do not cross the C interface as exceptions: they become −1 and a message of the calling thread.
#pragma once

#include <exception>
#include <string>

namespace uniscale {

std::string& last_error();

template <class Body>
int guarded(Body&& body) {
    try {
        body();
        return 0;
    } catch (const std::exception& error) {
        last_error() = error.what();
    } catch (...) {
        last_error() = "unknown error in a native kernel";
    }
    return -1;
}

}  // namespace uniscale
