using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Uniscale.Checkpoints.Memory;

/// <summary>Spans over the raw memory of tensors, and page-aligned blocks of native memory.</summary>
internal static unsafe class PageMemory
{
    /// <summary>Bytes of a page; direct writes want addresses, offsets and lengths in multiples of it.</summary>
    public const int PageBytes = 4096;

    private const long HugePageBytes = 2L << 20;

    /// <summary>The bytes at an address; the caller keeps the memory alive.</summary>
    public static Span<byte> Span(nint address, int count) => new((void*)address, count);

    /// <summary>
    /// Copies with non-temporal stores: the destination is not read soon, and fetching its lines only to overwrite them would cost half as
    /// much again.
    /// </summary>
    public static void StreamTo(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, source.Length);
        fixed (
            byte* from = source,
                to = destination
        )
        {
            int head = (int)Math.Min(source.Length, -(nint)to & (Vector256<byte>.Count - 1));
            nint i = (nint)head;
            source[..head].CopyTo(destination);
            int last = source.Length - 4 * Vector256<byte>.Count;
            for (; i <= last; i += 4 * Vector256<byte>.Count)
            {
                var a = Vector256.Load(from + i);
                var b = Vector256.Load(from + i + 32);
                var c = Vector256.Load(from + i + 64);
                var d = Vector256.Load(from + i + 96);
                a.StoreAlignedNonTemporal(to + i);
                b.StoreAlignedNonTemporal(to + i + 32);
                c.StoreAlignedNonTemporal(to + i + 64);
                d.StoreAlignedNonTemporal(to + i + 96);
            }
            source[(int)i..].CopyTo(destination[(int)i..]);
        }
    }

    /// <summary>Allocates memory that begins on a page and asks for huge pages; nothing is faulted in yet.</summary>
    public static nint Allocate(long sizeBytes)
    {
        long alignment = sizeBytes >= HugePageBytes ? HugePageBytes : PageBytes;
        nint address = (nint)NativeMemory.AlignedAlloc((nuint)RoundUp(sizeBytes, alignment), (nuint)alignment);
        if (alignment == HugePageBytes)
            Posix.AdviseHugePages(address, sizeBytes);
        return address;
    }

    public static void Free(nint address) => NativeMemory.AlignedFree((void*)address);

    /// <summary>The next multiple of a power of two.</summary>
    public static long RoundUp(long value, long multiple) => (value + multiple - 1) & ~(multiple - 1);
}
