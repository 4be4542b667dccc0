using Uniscale.Data;

namespace Uniscale.Evaluation.Validation;

/// <summary>
/// The tokens of one held-out source in their own order, cut into sequences of the model's context. Samples past the end, and the
/// end of the last one, are filled with −1, which takes no part in the loss.
/// </summary>
public sealed class ValidationSet : ISequenceSource
{
    private readonly TokenSource source;
    private readonly int context;

    /// <param name="source">Held-out tokens; not owned.</param>
    /// <param name="context">Tokens in a sequence.</param>
    /// <param name="sequences">Sequences to use at most; 0: all.</param>
    public ValidationSet(TokenSource source, int context, int sequences)
    {
        this.source = source;
        this.context = context;
        int whole = (int)Math.Min(int.MaxValue, (Math.Max(0, source.TokenCount - 1) + context - 1) / context);
        SequenceCount = sequences > 0 ? Math.Min(sequences, whole) : whole;
    }

    /// <summary>Name of the source.</summary>
    public string Name => source.Name;

    /// <summary>Domain of the source.</summary>
    public string Domain => source.Domain;

    /// <summary>Sequences that hold tokens.</summary>
    public int SequenceCount { get; }

    /// <inheritdoc/>
    public string Fingerprint => source.Fingerprint;

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens) => new(0, consumedTokens / context, 1, context, consumedTokens, 0, (long)SequenceCount * context);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        tokens.Fill(-1);
        documents.Clear();
        long start = index * context;
        int count = index < SequenceCount ? (int)Math.Min(tokens.Length, source.TokenCount - start) : 0;
        if (count <= 0) return;
        source.Read(start, tokens[..count]);
        if (!documents.IsEmpty) source.ReadDocuments(start, documents[..count], 0);
    }

    /// <summary>Bytes of text that the targets stand for.</summary>
    /// <param name="byteLengths">Bytes of text of each token.</param>
    public long TargetBytes(ReadOnlySpan<int> byteLengths)
    {
        var plan = StepAt(0);
        int[] tokens = new int[context + 1];
        long bytes = 0;
        for (int index = 0; index < SequenceCount; index++)
        {
            Read(plan, index, tokens, []);
            foreach (int token in tokens.AsSpan(1))
                if (token >= 0 && token < byteLengths.Length)
                    bytes += byteLengths[token];
        }
        return bytes;
    }
}
