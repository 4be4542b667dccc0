using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;

namespace TorchSharp.Native;

/// <summary>Failures on their way between libtorch and C#.</summary>
internal static unsafe class Errors
{
    // A failure in a C# backward travels through libtorch's engine as a message; the exception itself waits here for the
    // engine's return to this thread, so that the caller of backward sees what was thrown.
    [ThreadStatic]
    private static Exception? _pending;

    /// <summary>Throws the failure that the native library just reported on this thread.</summary>
    [DoesNotReturn]
    internal static void Throw()
    {
        var message = Marshal.PtrToStringUTF8((nint)NativeMethods.uniscale_error()) ?? "unknown failure in libtorch";
        var pending = _pending;
        _pending = null;
        if (pending is not null && message.Contains(pending.Message, StringComparison.Ordinal))
            ExceptionDispatchInfo.Throw(pending);
        throw new ExternalException(message);
    }

    /// <summary>Throws when a native status is negative.</summary>
    internal static void Check(int status)
    {
        if (status < 0)
            Throw();
    }

    /// <summary>Throws when a native function gave no result.</summary>
    internal static nint NotNull(nint result)
    {
        if (result == 0)
            Throw();
        return result;
    }

    /// <summary>Leaves the failure of a callback for libtorch to carry on.</summary>
    internal static void Leave(Exception exception)
    {
        _pending = exception;
        var bytes = Encoding.UTF8.GetBytes(exception.Message + '\0');
        fixed (byte* message = bytes)
            NativeMethods.uniscale_set_error(message);
    }
}
