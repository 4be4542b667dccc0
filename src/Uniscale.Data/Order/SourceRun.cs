namespace Uniscale.Data;

/// <summary>
/// The samples that one phase takes from one source: <see cref="SampleCount"/> sequences of <see cref="Context"/> tokens that begin where
/// the phase
/// before stopped. They are cut one after the other from the source's stream of windows; where a window holds several, they are drawn in an
/// order
/// permuted within each epoch of the phase, so that neighbours in a document do not meet in a batch.
/// </summary>
internal sealed class SourceRun
{
    private readonly WindowOrder _order;
    private readonly ulong _key;
    private readonly long _firstCapacity;
    private readonly long _epochCapacity;
    private readonly SourceCursor _first;

    public SourceRun(WindowOrder order, ulong key, SourceCursor start, int context, long sampleCount)
    {
        _order = order;
        Start = start;
        Context = context;
        SampleCount = sampleCount;
        // Where contexts divide windows, a sequence never crosses from one window to another: begin at a multiple of the context.
        long aligned = order.Window % context == 0 ? (start.Offset + context - 1) / context * context : start.Offset;
        _first = start with { Offset = aligned };
        _firstCapacity = Math.Max(0, order.EpochTokens - aligned) / context;
        _epochCapacity = order.EpochTokens / context;
        _key = Mixing.Key(key, (ulong)context, (ulong)start.Epoch, (ulong)aligned);
        if (sampleCount > 0 && _epochCapacity == 0)
            throw new ArgumentException(
                $"A source of {order.EpochTokens + 1} tokens cannot fill a sequence of {context}.",
                nameof(context)
            );
    }

    /// <summary>Where the phase found the source.</summary>
    public SourceCursor Start { get; }

    public int Context { get; }

    public long SampleCount { get; }

    /// <summary>Sequences that an epoch holds.</summary>
    public long EpochCapacity => _epochCapacity;

    /// <summary>Where the phase leaves the source.</summary>
    public SourceCursor End => CursorAfter(SampleCount);

    /// <summary>The cursor after so many of the samples; exact at the end of the phase, a count of tokens before it.</summary>
    public SourceCursor CursorAfter(long samples)
    {
        if (samples == 0)
            return Start;
        var last = StretchOf(samples - 1);
        return new SourceCursor(last.Epoch, last.Offset + (samples - last.FirstSample) * Context);
    }

    /// <summary>Epoch of a sample and its first token's place in that epoch's stream.</summary>
    public SourceCursor Locate(long sample)
    {
        var stretch = StretchOf(sample);
        long slot = sample - stretch.FirstSample;
        if (Context < _order.Window)
            slot = new FeistelPermutation(stretch.Length, Mixing.Key(_key, (ulong)stretch.Epoch))[slot];
        return new SourceCursor(stretch.Epoch, stretch.Offset + slot * Context);
    }

    /// <summary>
    /// Tokens passed over by the first <paramref name="samples"/> samples: for alignment, and what is too short for a sequence at ends of
    /// epochs.
    /// </summary>
    public long SkippedIn(long samples)
    {
        var end = CursorAfter(samples);
        return (end.Epoch - Start.Epoch) * _order.EpochTokens + end.Offset - Start.Offset - samples * Context;
    }

    /// <summary>
    /// Sequences fed of each epoch by the first <paramref name="samples"/> samples, for the epochs that the phase touches.
    /// </summary>
    public IEnumerable<(long Epoch, long Samples)> EpochsOf(long samples)
    {
        for (long next = 0; next < samples;)
        {
            var stretch = StretchOf(next);
            long count = Math.Min(stretch.Length, samples - next);
            yield return (stretch.Epoch, count);
            next += stretch.Length;
        }
    }

    /// <summary>The part of an epoch that a sample lies in, as far as the phase reaches into it.</summary>
    private Stretch StretchOf(long sample)
    {
        if ((ulong)sample >= (ulong)SampleCount)
            throw new ArgumentOutOfRangeException(nameof(sample), $"Sample {sample} is not one of {SampleCount}.");
        if (sample < _firstCapacity)
            return new Stretch(_first.Epoch, _first.Offset, 0, Math.Min(_firstCapacity, SampleCount));
        long epochs = (sample - _firstCapacity) / _epochCapacity;
        long first = _firstCapacity + epochs * _epochCapacity;
        return new Stretch(_first.Epoch + 1 + epochs, 0, first, Math.Min(_epochCapacity, SampleCount - first));
    }

    private readonly record struct Stretch(long Epoch, long Offset, long FirstSample, long Length);
}
