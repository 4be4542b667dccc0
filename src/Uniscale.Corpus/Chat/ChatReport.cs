namespace Uniscale.Corpus.Chat;

/// <summary>What became of the chats of one domain.</summary>
public sealed class ChatReport
{
    private readonly SortedDictionary<string, long> _leftOut = new(StringComparer.Ordinal);

    /// <summary>Samples, or comparisons, written for training.</summary>
    public long Samples { get; set; }

    /// <summary>Those set aside for validation.</summary>
    public long ValidationSamples { get; set; }

    /// <summary>Chats that were cut at the longest length; their beginning is kept.</summary>
    public long Truncated { get; set; }

    /// <summary>Tokens of chats, without padding.</summary>
    public long Tokens { get; set; }

    /// <summary>Those of them that are learned.</summary>
    public long LearnedTokens { get; set; }

    /// <summary>Packs written.</summary>
    public long Packs { get; set; }

    /// <summary>Tokens of a pack.</summary>
    public int PackTokens { get; set; }

    /// <summary>Part of the packs that is no padding.</summary>
    public double Fill => Packs == 0 ? 0 : Tokens / ((double)Packs * PackTokens);

    /// <summary>Records that were left out, by the reason.</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _leftOut;

    internal void Leave(string reason) => _leftOut[reason] = _leftOut.GetValueOrDefault(reason) + 1;
}
