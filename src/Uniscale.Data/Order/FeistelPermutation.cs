using System.Numerics;

namespace Uniscale.Data;

/// <summary>
/// A pseudo-random permutation of 0..Count-1 in constant memory: a balanced Feistel network over the next power of four (Luby and Rackoff,
/// 1988),
/// repeated until the value falls below Count (cycle walking; Black and Rogaway, 2002). Fewer than four rounds of the network on average.
/// </summary>
public readonly struct FeistelPermutation
{
    private const int RoundCount = 6;

    private readonly ulong _key;
    private readonly int _halfBits;
    private readonly ulong _mask;

    /// <param name="count">Elements permuted, at most 2^62.</param>
    /// <param name="key">Chooses the permutation.</param>
    public FeistelPermutation(long count, ulong key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1L << 62);
        Count = count;
        _key = key;
        int bits = count <= 1 ? 0 : BitOperations.Log2((ulong)(count - 1)) + 1;
        _halfBits = Math.Max(1, (bits + 1) / 2);
        _mask = (1UL << _halfBits) - 1;
    }

    /// <summary>Elements permuted.</summary>
    public long Count { get; }

    /// <summary>Where element <paramref name="index"/> goes.</summary>
    public long this[long index]
    {
        get
        {
            if ((ulong)index >= (ulong)Count)
                throw new ArgumentOutOfRangeException(nameof(index), $"{index} is not below {Count}.");
            ulong value = (ulong)index;
            do value = Rounds(value);
            while (value >= (ulong)Count);
            return (long)value;
        }
    }

    private ulong Rounds(ulong value)
    {
        ulong left = value >> _halfBits,
            right = value & _mask;
        for (ulong round = 0; round < RoundCount; round++)
            (left, right) = (right, left ^ (Mixing.Mix(right ^ Mixing.Mix(_key + round)) & _mask));
        return left << _halfBits | right;
    }
}
