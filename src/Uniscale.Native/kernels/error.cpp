#include "error.h"

#include "kernels.h"

std::string& uniscale::last_error() {
    thread_local std::string message;
    return message;
}

const char* uniscale_kernels_error() { return uniscale::last_error().c_str(); }
