using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>
/// Host memory that keeps its address while its pages come and go: reserved once, taken from the system at the first write, given back
/// by <see cref="Release"/>, after which it reads as zeros.
/// </summary>
public sealed partial class ReleasableMemory : IDisposable
{
    private const int ProtectReadWrite = 3,
        MapPrivateAnonymous = 0x22,
        AdviseDontNeed = 4;

    private readonly nuint _size;

    /// <summary>Reserves memory.</summary>
    /// <param name="sizeBytes">At least 1.</param>
    public ReleasableMemory(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeBytes, 1);
        _size = (nuint)sizeBytes;
        Address = mmap(0, _size, ProtectReadWrite, MapPrivateAnonymous, -1, 0);
        if (Address == -1)
            throw new InsufficientMemoryException($"{sizeBytes} bytes of address space could not be reserved.");
    }

    /// <summary>First byte, on a page boundary.</summary>
    public nint Address { get; private set; }

    /// <summary>Gives the pages back to the system.</summary>
    public void Release()
    {
        if (madvise(Address, _size, AdviseDontNeed) != 0)
            throw new InvalidOperationException($"The system did not take {_size} bytes back (error {Marshal.GetLastPInvokeError()}).");
    }

    /// <summary>Ends the reservation; nothing may refer to the memory any more.</summary>
    public void Dispose()
    {
        if (Address == 0)
            return;
        _ = munmap(Address, _size);
        Address = 0;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int madvise(nint address, nuint length, int advice);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(nint address, nuint length);
}
