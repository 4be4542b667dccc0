using System.Text;

namespace Uniscale.Data;

/// <summary>
/// Places where a text may be cut so that a SentencePiece BPE model encodes the parts as it does the whole: between two characters that stand side by side in no
/// entry of the vocabulary. No merge reaches across such a place, so neither part knows of the other. Where characters outside the vocabulary become one unknown
/// token a run, at least one of the two must be in it.
/// </summary>
internal sealed class SafeCuts
{
    private const int SpaceMark = 0x2581;

    /// <summary>Bytes in a chunk that is encoded at once; small enough for the cache, large enough to be worth a call.</summary>
    public const int ChunkBytes = 1 << 10;

    private readonly HashSet<ulong> _inside = [];
    private readonly HashSet<int>? _known;
    private readonly bool _freeNewlines;

    /// <param name="pieces">The vocabulary.</param>
    /// <param name="hasBytes">Characters outside it become bytes.</param>
    public SafeCuts(IEnumerable<Piece> pieces, bool hasBytes)
    {
        _known = hasBytes ? null : [];
        foreach (Piece piece in pieces)
        {
            if (piece.Kind is PieceKind.Control or PieceKind.Unknown or PieceKind.Byte)
                continue;
            int before = -1, count = 0;
            foreach (Rune rune in piece.Text.EnumerateRunes())
            {
                int here = Normal(rune.Value);
                if (before >= 0)
                    _inside.Add(Pair(before, here));
                (before, count) = (here, count + 1);
            }
            if (count == 1 && piece.Kind == PieceKind.Normal)
                _known?.Add(before);
        }
        _freeNewlines = hasBytes && !_inside.Any(pair => (pair >> 32) == '\n' || (uint)pair == '\n');
    }

    /// <summary>Length of a first part of about <see cref="ChunkBytes"/> that may be encoded alone; all of the text where it is short or may not be cut.</summary>
    public int Cut(ReadOnlySpan<byte> text)
    {
        if (text.Length <= ChunkBytes)
            return text.Length;
        if (_freeNewlines && text[(ChunkBytes / 2)..ChunkBytes].LastIndexOf((byte)'\n') is >= 0 and var newline)
            return (ChunkBytes / 2) + newline;
        return Last(text, ChunkBytes / 2, ChunkBytes) is > 0 and var near ? near : First(text, ChunkBytes);
    }

    /// <summary>The last place for a cut in a text that goes on beyond what is seen of it; 0: there is none.</summary>
    public int LastIn(ReadOnlySpan<byte> text) => Last(text, 1, text.Length - 4);

    private int Last(ReadOnlySpan<byte> text, int from, int to)
    {
        for (int at = to - 1; at >= from; at--)
            if (IsSafe(text, at))
                return at;
        return 0;
    }

    private int First(ReadOnlySpan<byte> text, int from)
    {
        for (int at = from; at < text.Length; at++)
            if (IsSafe(text, at))
                return at;
        return text.Length;
    }

    private bool IsSafe(ReadOnlySpan<byte> text, int at)
    {
        if ((text[at] & 0xC0) == 0x80)
            return false; // within a character
        Rune.DecodeLastFromUtf8(text[..at], out Rune last, out _);
        Rune.DecodeFromUtf8(text[at..], out Rune first, out _);
        int before = Normal(last.Value), after = Normal(first.Value);
        return !_inside.Contains(Pair(before, after)) && (_known is null || _known.Contains(before) || _known.Contains(after));
    }

    private static int Normal(int character) => character == ' ' ? SpaceMark : character;

    private static ulong Pair(int before, int after) => ((ulong)(uint)before << 32) | (uint)after;
}
