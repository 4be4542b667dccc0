using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Validation;

/// <summary>
/// The tokens of one held-out source in their own order, cut into sequences of the model's context. Where not all are used, those that are
/// lie
/// evenly over the source, the same at every validation: its beginning may be one topic or language. Samples past the end, and the end of
/// the
/// last one, are filled with −1, which takes no part in the loss.
/// </summary>
public sealed class ValidationSet : ISequenceSource
{
    private readonly TokenSource _source;
    private readonly int _context;
    private readonly long _whole; // sequences that the used ones are spread over

    /// <param name="source">Held-out tokens; not owned.</param>
    /// <param name="context">Tokens in a sequence.</param>
    /// <param name="sequences">Sequences to use at most; 0: all.</param>
    /// <exception cref="UserErrorException">The source has no token that could be predicted.</exception>
    public ValidationSet(TokenSource source, int context, int sequences)
    {
        this._source = source;
        this._context = context;
        if (source.IsVirtual)
            throw new UserErrorException($"The validation source '{source.Name}' has virtual tokens only: give it shards.");
        if (source.TokenCount < 2)
        {
            throw new UserErrorException(
                $"The validation source '{source.Name}' has {source.TokenCount} token(s), of which none can be predicted from one before: give it more held-out text, or leave it out of data.validation."
            );
        }
        if (source.Packs is var (_, pack) && pack != context)
        {
            throw new UserErrorException(
                $"The packs of validation source '{source.Name}' have {pack} tokens, but model.context is {context}: pack again with `uniscale data chat --context {context}`."
            );
        }
        long targets = source.StreamTokens - 1,
            full = targets / context,
            all = full + (targets % context > 0 ? 1 : 0);
        SequenceCount = (int)Math.Min(int.MaxValue, sequences > 0 ? Math.Min(sequences, all) : all);
        // The last sequence may be short: it is used where all are, so that a number of sequences is a number of tokens.
        _whole = SequenceCount < all ? full : all;
    }

    /// <summary>Name of the source.</summary>
    public string Name => _source.Name;

    /// <summary>Domain of the source.</summary>
    public string Domain => _source.Domain;

    /// <summary>Sequences that hold tokens.</summary>
    public int SequenceCount { get; }

    /// <inheritdoc/>
    public string Fingerprint => _source.Fingerprint;

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens) =>
        new(0, consumedTokens / _context, 1, _context, consumedTokens, 0, (long)SequenceCount * _context);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        tokens.Fill(-1);
        documents.Clear();
        long start = PlaceOf(index) * _context;
        int count = index < SequenceCount ? (int)Math.Min(tokens.Length, _source.TokenCount - start) : 0;
        if (count <= 0)
            return;
        _source.Read(start, tokens[..count]);
        if (!documents.IsEmpty)
            _source.ReadDocuments(start, documents[..count], 0);
    }

    /// <inheritdoc/>
    public bool HasMarks => _source.Packs is not null;

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
    {
        marks.Clear();
        if (index < SequenceCount)
            _source.ReadMarks(PlaceOf(index) * _context, marks);
    }

    /// <summary>The middle one of the sequences that a sample stands for.</summary>
    private long PlaceOf(long index) => (long)(((2 * (UInt128)index) + 1) * (ulong)_whole / (2 * (ulong)SequenceCount));

    /// <summary>Bytes of text that the targets stand for.</summary>
    /// <param name="byteLengths">Bytes of text of each token.</param>
    public long TargetBytes(ReadOnlySpan<int> byteLengths)
    {
        var plan = StepAt(0);
        int[] tokens = new int[_context + 1];
        var marks = new TokenMarks[_context + 1];
        long bytes = 0;
        for (int index = 0; index < SequenceCount; index++)
        {
            Read(plan, index, tokens, []);
            if (HasMarks)
                ReadMarks(plan, index, marks);
            else
                marks.AsSpan().Fill(TokenMarks.Learned);
            for (int i = 1; i < tokens.Length; i++)
                if (tokens[i] >= 0 && tokens[i] < byteLengths.Length && marks[i].HasFlag(TokenMarks.Learned))
                    bytes += byteLengths[tokens[i]];
        }
        return bytes;
    }
}
