namespace Uniscale.Data;

/// <summary>
/// Cuts long text where encoding the parts alone gives the tokens of the whole: before a line end that stands alone, since no vocabulary entry reaches
/// across one; failing that (a line of more than 64 chunks) before a single space, then between characters. Where it cuts depends on the text only.
/// </summary>
public static class TextCutter
{
    /// <summary>Bytes in a chunk that is encoded at once; small enough for the cache, large enough to be worth a call.</summary>
    public const int ChunkBytes = 1 << 10;

    private const int Stretch = 64;

    /// <summary>Bytes that must be visible for a cut to be made as in the whole text.</summary>
    public static int Lookahead(int target) => target * Stretch + 8;

    /// <summary>Length of the first part: all of a text that is not longer than <paramref name="target"/>.</summary>
    public static int Cut(ReadOnlySpan<byte> text, int target)
    {
        if (text.Length <= target)
            return text.Length;
        int limit = (int)Math.Min(text.Length - 1L, (long)target * Stretch);
        for (int at = Math.Min(target, text.Length - 2); at > target / 2; at--)
            if (IsLoneLineEnd(text, at))
                return at;
        for (int at = target + 1; at < limit; at++)
            if (IsLoneLineEnd(text, at))
                return at;
        if (text.Length <= limit + 1)
            return text.Length;
        for (int at = limit; at > limit / 2; at--)
            if (text[at] == (byte)' ' && text[at - 1] != (byte)' ' && text[at + 1] != (byte)' ')
                return at;
        int cut = limit;
        while (cut > 1 && (text[cut] & 0xC0) == 0x80)
            cut--; // continuation byte of a character
        return cut;
    }

    private static bool IsLoneLineEnd(ReadOnlySpan<byte> text, int at) =>
        text[at] == (byte)'\n' && text[at - 1] > (byte)' ' && text[at + 1] != (byte)'\n';
}
