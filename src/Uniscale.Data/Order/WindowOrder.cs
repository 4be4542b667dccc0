namespace Uniscale.Data;

/// <summary>A place in the endless stream of a source: so many whole epochs, and tokens into the next.</summary>
public readonly record struct SourceCursor(long Epoch, long Offset);

/// <summary>
/// The order of a source's tokens. The source is cut into windows of equal length; an epoch is a permutation of the whole windows, another
/// one each time,
/// and then what is left at the source's end. The last token of a source is a target only.
/// </summary>
internal sealed class WindowOrder
{
    private readonly ulong _key;

    public WindowOrder(long tokens, int window, ulong key)
    {
        _key = key;
        Window = window;
        EpochTokens = Math.Max(0, tokens - 1);
        WindowCount = EpochTokens / window;
    }

    /// <summary>Tokens in a window.</summary>
    public int Window { get; }

    /// <summary>Tokens that an epoch can feed.</summary>
    public long EpochTokens { get; }

    /// <summary>Whole windows of the source.</summary>
    public long WindowCount { get; }

    /// <summary>
    /// The token of the source at a place in an epoch, and how many tokens from there follow each other in the source too.
    /// </summary>
    public (long Position, long Contiguous) At(long epoch, long offset)
    {
        long window = offset / Window,
            within = offset % Window;
        if (window >= WindowCount)
            return (offset, EpochTokens - offset);
        long placed = new FeistelPermutation(WindowCount, Mixing.Key(_key, (ulong)epoch))[window];
        return (placed * Window + within, Window - within);
    }
}
