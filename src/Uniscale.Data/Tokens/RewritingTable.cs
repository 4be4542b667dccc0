using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Uniscale.Data;

/// <summary>
/// The table by which a SentencePiece model rewrites characters (precompiled_charsmap): the length of a double-array trie (Darts-clone,
/// 32-bit units), the trie, whose values are places
/// in what follows, and the texts that are put in, each closed by a zero byte.
/// </summary>
internal sealed class RewritingTable
{
    private readonly uint[] _trie;
    private readonly byte[] _texts;

    private RewritingTable(uint[] trie, byte[] texts) => (_trie, _texts) = (trie, texts);

    /// <summary>Reads a table.</summary>
    /// <returns>The table; null where any way through it leads out of its bounds.</returns>
    public static RewritingTable? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= 4)
            return null;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (length == 0 || length % 4 != 0 || length >= bytes.Length - 4)
            return null;
        var table = new RewritingTable(
            MemoryMarshal.Cast<byte, uint>(bytes.Slice(4, (int)length)).ToArray(),
            bytes[(4 + (int)length)..].ToArray()
        );
        return table.IsWhole() ? table : null;
    }

    /// <summary>The longest beginning of a text that is rewritten, and what it becomes.</summary>
    /// <returns>Bytes of the beginning; 0 where none is rewritten.</returns>
    public int Match(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> becomes)
    {
        int length = 0;
        uint place = 0,
            node = Offset(_trie[0]);
        for (int i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            uint unit = _trie[node];
            if (Label(unit) != text[i])
                break;
            node ^= Offset(unit);
            if (HasLeaf(unit))
                (length, place) = (i + 1, Value(_trie[node]));
        }
        becomes = length == 0 ? [] : _texts.AsSpan((int)place);
        becomes = length == 0 ? [] : becomes[..becomes.IndexOf((byte)0)];
        return length;
    }

    /// <summary>Follows every way once.</summary>
    private bool IsWhole()
    {
        if (_texts[^1] != 0)
            return false;
        var seen = new HashSet<uint>();
        var open = new Stack<uint>([Offset(_trie[0])]);
        while (open.TryPop(out uint node))
        {
            if (!seen.Add(node))
                continue;
            for (uint label = 0; label < 256; label++)
            {
                if ((node ^ label) >= _trie.Length)
                    return false;
                uint unit = _trie[node ^ label];
                if (Label(unit) != label)
                    continue;
                uint next = node ^ label ^ Offset(unit);
                if (HasLeaf(unit) && (next >= _trie.Length || Value(_trie[next]) >= _texts.Length))
                    return false;
                open.Push(next);
            }
        }
        return true;
    }

    private static bool HasLeaf(uint unit) => ((unit >> 8) & 1) == 1;

    private static uint Value(uint unit) => unit & 0x7FFF_FFFF;

    private static uint Label(uint unit) => unit & 0x8000_00FF;

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);
}
