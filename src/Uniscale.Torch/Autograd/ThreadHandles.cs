using System.Runtime.InteropServices;

namespace Uniscale.Torch.Autograd;

/// <summary>Rows of handles that native code reads and writes, one of each kind a thread.</summary>
internal static unsafe class ThreadHandles
{
    private const int Room = 64;

    [ThreadStatic]
    private static nint* _buffer;

    [ThreadStatic]
    private static nint* _results;

    [ThreadStatic]
    private static int _resultCount;

    /// <summary>What <see cref="Allocate"/> gave out last.</summary>
    public static nint* Buffer => _buffer == null ? _buffer = (nint*)NativeMemory.AllocZeroed(Room, (nuint)sizeof(nint)) : _buffer;

    [UnmanagedCallersOnly]
    public static nint* Allocate(nuint count) => Buffer;

    /// <summary>A row of zeros for the gradients that a node gives back. libtorch copies them after the node has returned.</summary>
    public static nint* Results(int count)
    {
        if (_results == null) _results = (nint*)NativeMemory.AllocZeroed(Room, (nuint)sizeof(nint));
        _resultCount = count;
        return _results;
    }

    /// <summary>Frees the handles that the last node of this thread gave back, once libtorch has its own.</summary>
    public static void FreeResults()
    {
        for (int i = 0; i < _resultCount; i++)
        {
            if (_results[i] != 0) NativeMethods.THSTensor_dispose(_results[i]);
            _results[i] = 0;
        }
        _resultCount = 0;
    }
}
