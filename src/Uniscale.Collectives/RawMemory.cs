using System.Runtime.InteropServices;

namespace Uniscale.Collectives;

/// <summary>The one place where addresses become spans.</summary>
internal static unsafe class RawMemory
{
    /// <summary>Elements at an address.</summary>
    public static Span<T> Span<T>(nint address, int count)
        where T : unmanaged => new((void*)address, count);

    /// <summary>Copies bytes; the ranges may not overlap unless they are the same.</summary>
    public static void Copy(nint source, nint destination, long bytes)
    {
        if (source != destination)
            Buffer.MemoryCopy((void*)source, (void*)destination, bytes, bytes);
    }

    /// <summary>Memory on a 64-byte boundary, to be given back with <see cref="Free"/>.</summary>
    public static nint Allocate(long bytes) => (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 64), 64);

    /// <summary>Writes zeros.</summary>
    public static void Clear(nint address, long bytes) => NativeMemory.Clear((void*)address, (nuint)bytes);

    public static void Free(nint address) => NativeMemory.AlignedFree((void*)address);
}
