using System.Numerics;
using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Arithmetic;

/// <summary>
/// bfloat16 (the upper half of an IEEE single) to and from single precision, vectorised for whatever the processor offers.
/// </summary>
public static class BrainFloat
{
    /// <summary>Exact conversion to single precision.</summary>
    public static void Widen(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(destination)[..source.Length];
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++)
            bits[i] = (uint)source[i] << 16;
    }

    /// <summary>Rounds to nearest, ties to even; a NaN stays a NaN.</summary>
    public static void Narrow(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(source);
        destination = destination[..source.Length];
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            var low = Round(new Vector<uint>(bits[i..]));
            var high = Round(new Vector<uint>(bits[(i + Vector<uint>.Count)..]));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }
        for (; i < source.Length; i++)
            destination[i] = Round(bits[i]);
    }

    private static Vector<uint> Round(Vector<uint> bits)
    {
        var even = (bits >>> 16) & Vector<uint>.One;
        var rounded = (bits + new Vector<uint>(0x7FFF) + even) >>> 16;
        var isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7FFF_FFFF), new Vector<uint>(0x7F80_0000));
        return Vector.ConditionalSelect(isNaN, (bits >>> 16) | new Vector<uint>(0x40), rounded);
    }

    private static ushort Round(uint bits) =>
        (bits & 0x7FFF_FFFF) > 0x7F80_0000 ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
