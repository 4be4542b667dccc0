using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Uniscale.Engine.Initialization;

/// <summary>
/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): 128 random bits as a function of a 128-bit
/// counter and a 64-bit key. Here the upper half of the counter is 0; eight counters are computed at a time.
/// </summary>
internal static class Philox
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>The four words of each of the counters first, first + 1, …, first + 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<uint> W0, Vector256<uint> W1, Vector256<uint> W2, Vector256<uint> W3) Eight(ulong first, ulong key)
    {
        // Callers count in multiples of eight, so the lanes never carry into the second word.
        var c0 = Vector256.Create((uint)first) + Vector256<uint>.Indices;
        var c1 = Vector256.Create((uint)(first >> 32));
        var c2 = Vector256<uint>.Zero;
        var c3 = Vector256<uint>.Zero;
        uint k0 = (uint)key;
        uint k1 = (uint)(key >> 32);
        for (int round = 0; round < Rounds; round++)
        {
            var (high0, low0) = Multiply(c0, Multiplier0);
            var (high1, low1) = Multiply(c2, Multiplier1);
            c0 = high1 ^ c1 ^ Vector256.Create(k0);
            c1 = low1;
            c2 = high0 ^ c3 ^ Vector256.Create(k1);
            c3 = low0;
            k0 += Weyl0;
            k1 += Weyl1;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>High and low halves of the 64-bit products of the lanes with a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<uint> High, Vector256<uint> Low) Multiply(Vector256<uint> x, uint factor)
    {
        var wide = Vector256.Create((ulong)factor);
        var even = (x.AsUInt64() & Vector256.Create(0xFFFFFFFFul)) * wide;
        var odd = (x.AsUInt64() >>> 32) * wide;
        var high = (even >>> 32) | (odd & Vector256.Create(0xFFFFFFFF00000000ul));
        return (high.AsUInt32(), x * Vector256.Create(factor));
    }
}
