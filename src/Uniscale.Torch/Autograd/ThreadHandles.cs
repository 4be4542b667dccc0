using System.Runtime.InteropServices;

namespace Uniscale.Torch.Autograd;

/// <summary>Rows of handles that native code reads and writes, one of each kind a thread.</summary>
internal sealed unsafe class ThreadHandles
{
    private const int Room = 64;

    [ThreadStatic]
    private static nint* _buffer;

    [ThreadStatic]
    private static ThreadHandles? _own;

    private readonly nint* _results = (nint*)NativeMemory.AllocZeroed(Room, (nuint)sizeof(nint));
    private int _resultCount;

    /// <summary>The row for what nodes on the calling thread give back; kept for ever, as libtorch's threads are.</summary>
    public static ThreadHandles OfThisThread => _own ??= new ThreadHandles();

    /// <summary>What <see cref="Allocate"/> gave out last.</summary>
    public static nint* Buffer => _buffer == null ? _buffer = (nint*)NativeMemory.AllocZeroed(Room, (nuint)sizeof(nint)) : _buffer;

    [UnmanagedCallersOnly]
    public static nint* Allocate(nuint count) => Buffer;

    /// <summary>A row of zeros for the gradients that a node gives back. libtorch copies them after the node has returned.</summary>
    public nint* Results(int count)
    {
        _resultCount = count;
        return _results;
    }

    /// <summary>Frees the handles that the last node of the thread gave back, once libtorch has its own.</summary>
    public void FreeResults()
    {
        for (int i = 0; i < _resultCount; i++)
        {
            if (_results[i] != 0)
                NativeMethods.THSTensor_dispose(_results[i]);
            _results[i] = 0;
        }
        _resultCount = 0;
    }
}
