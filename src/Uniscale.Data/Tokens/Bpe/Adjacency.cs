using System.Numerics;

namespace Uniscale.Data;

/// <summary>
/// Which characters stand side by side in an entry of a vocabulary. Where two do in none, no merge reaches across: a text may be cut there,
/// and its parts are encoded as in the whole
/// (decision 0142). The answer "they may" can be wrong for two of which one is outside ASCII, which only makes a part longer.
/// </summary>
internal sealed class Adjacency
{
    private readonly ulong[] _ascii = new ulong[2 * 128]; // a bit for each pair
    private readonly ulong[] _others;
    private readonly int _shift;

    /// <param name="pairs">Pairs of characters that stand side by side.</param>
    public Adjacency(IReadOnlyCollection<(int Before, int After)> pairs)
    {
        int bits = Math.Clamp(BitOperations.Log2((uint)pairs.Count + 1) + 5, 12, 23);
        _others = new ulong[1 << (bits - 6)];
        _shift = 32 - bits;
        foreach ((int before, int after) in pairs)
        {
            if ((before | after) < 128)
                _ascii[(2 * before) + (after >> 6)] |= 1UL << after;
            uint place = Place(before, after);
            _others[place >> 6] |= 1UL << (int)place;
        }
    }

    /// <summary>True where an entry may reach across two characters.</summary>
    public bool MayJoin(int before, int after)
    {
        if ((before | after) < 128)
            return (_ascii[(2 * before) + (after >> 6)] >> after & 1) != 0;
        uint place = Place(before, after);
        return (_others[place >> 6] >> (int)place & 1) != 0;
    }

    private uint Place(int before, int after) =>
        (((uint)before * 0x9E37_79B1) ^ BitOperations.RotateLeft((uint)after * 0x85EB_CA6B, 15)) * 0xC2B2_AE35 >> _shift;
}
