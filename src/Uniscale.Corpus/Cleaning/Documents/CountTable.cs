using System.Numerics;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Counts hashes in open addressing; emptied and used again without allocating.</summary>
internal sealed class CountTable
{
    private (ulong Hash, int Count)[] _slots = new (ulong, int)[1024];
    private int _mask;

    /// <summary>Empties the table for at most <paramref name="capacity"/> different hashes.</summary>
    public void Reset(int capacity)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * capacity));
        if (size > _slots.Length)
            _slots = new (ulong, int)[size];
        else
            Array.Clear(_slots, 0, size);
        _mask = size - 1;
    }

    /// <summary>Counts one more.</summary>
    /// <returns>How often it was there, this time included.</returns>
    public int Add(ulong hash)
    {
        for (int slot = (int)hash & _mask; ; slot = (slot + 1) & _mask)
        {
            ref var entry = ref _slots[slot];
            if (entry.Count == 0)
                entry.Hash = hash;
            if (entry.Hash == hash)
                return ++entry.Count;
        }
    }
}
