namespace Uniscale.Data;

/// <summary>
/// What a run has fed at a position, exactly, by phase, source and epoch: computed from the plan in O(phases · sources) (and the epochs
/// that a phase
/// touches), not recorded. That nothing is repeated within an epoch follows from the cursors: each phase begins where the one before
/// stopped.
/// </summary>
public sealed class Ledger
{
    internal Ledger(long consumedTokens, IReadOnlyList<LedgerEntry> entries, IReadOnlyList<SourceTotal> sources)
    {
        ConsumedTokens = consumedTokens;
        Entries = entries;
        Sources = sources;
    }

    /// <summary>The position.</summary>
    public long ConsumedTokens { get; }

    /// <summary>One entry for each phase and source that fed something.</summary>
    public IReadOnlyList<LedgerEntry> Entries { get; }

    /// <summary>One total for each source of the run.</summary>
    public IReadOnlyList<SourceTotal> Sources { get; }
}

/// <summary>What a phase took from a source.</summary>
/// <param name="Phase">Number of the phase.</param>
/// <param name="Source">Index of the source.</param>
/// <param name="Samples">Sequences fed.</param>
/// <param name="Tokens">Their tokens.</param>
/// <param name="Weight">The source's share of the mixture.</param>
/// <param name="Start">Cursor of the source before the phase.</param>
/// <param name="End">Cursor after it (within a phase: a count, as the phase's sequences are drawn in permuted order).</param>
/// <param name="SkippedTokens">Tokens left out to begin at a whole sequence, and at the ends of the epochs that were finished.</param>
/// <param name="Epochs">The sequences by epoch of the source.</param>
public sealed record LedgerEntry(
    int Phase,
    int Source,
    long Samples,
    long Tokens,
    double Weight,
    SourceCursor Start,
    SourceCursor End,
    long SkippedTokens,
    IReadOnlyList<(long Epoch, long Samples)> Epochs
);

/// <summary>What a run took from a source.</summary>
/// <param name="Source">Index of the source.</param>
/// <param name="SourceTokens">Tokens of the source.</param>
/// <param name="FedTokens">Tokens fed, all epochs together.</param>
/// <param name="SkippedTokens">Tokens left out, all epochs together.</param>
/// <param name="Cursor">Where the source stands.</param>
public sealed record SourceTotal(int Source, long SourceTokens, long FedTokens, long SkippedTokens, SourceCursor Cursor)
{
    /// <summary>Part of the tokens fed whose updates are not in the weights: of steps that were left out or taken back.</summary>
    public long DiscardedTokens { get; init; }

    /// <summary>Times that the source was seen.</summary>
    public double Epochs => SourceTokens == 0 ? 0 : FedTokens / (double)SourceTokens;

    /// <summary>The most often that any token was fed: a token is fed at most once an epoch.</summary>
    public long MaxRepeats => Cursor.Offset > 0 ? Cursor.Epoch + 1 : Cursor.Epoch;
}
