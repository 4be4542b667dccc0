using System.Numerics;

namespace Uniscale.Data;

/// <summary>Which entry two neighbours become, and when: an open hash table from a pair of symbols.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;

    /// <summary>Rank of a pair that does not merge.</summary>
    public const int Never = int.MaxValue;

    private readonly Slot[] _slots;
    private readonly int _shift;

    /// <param name="merges">Each pair with the entry it becomes and the entry's rank: the lower is merged first.</param>
    public MergeTable(IReadOnlyCollection<(int Left, int Right, int Merged, int Rank)> merges)
    {
        int bits = BitOperations.Log2((uint)Math.Max(2 * merges.Count, 8)) + 1;
        _slots = new Slot[1 << bits];
        Array.Fill(_slots, new Slot(Free, 0, Never));
        _shift = 64 - bits;
        foreach ((int left, int right, int merged, int rank) in merges)
        {
            ulong pair = Pair(left, right);
            int at = Place(pair);
            while (_slots[at].Pair != Free && _slots[at].Pair != pair)
                at = (at + 1) & (_slots.Length - 1);
            _slots[at] = new Slot(pair, merged, rank);
        }
    }

    /// <summary>The rank of a pair, <see cref="Never"/> where it does not merge. Symbols below zero never do.</summary>
    public int Rank(int left, int right, out int merged)
    {
        merged = 0;
        if ((left | right) < 0)
            return Never;
        ulong pair = Pair(left, right);
        for (int at = Place(pair); ; at = (at + 1) & (_slots.Length - 1))
        {
            ref readonly var slot = ref _slots[at];
            if (slot.Pair == pair)
            {
                merged = slot.Merged;
                return slot.Rank;
            }
            if (slot.Pair == Free)
                return Never;
        }
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Place(ulong pair) => (int)((pair ^ (pair >> 29)) * 0x9E37_79B9_7F4A_7C15 >> _shift);

    private readonly record struct Slot(ulong Pair, int Merged, int Rank);
}
