namespace Uniscale.Data;

/// <summary>The training data as a function of position: sample k of the run, whatever the layout.</summary>
public interface ISequenceSource
{
    /// <summary>Digest of the data and of everything that decides the order; a checkpoint keeps it.</summary>
    string Fingerprint { get; }

    /// <summary>
    /// Digest of what was fed until then and of what decided its order: what a checkpoint at this position keeps, and a resumed run must
    /// agree with.
    /// </summary>
    string FingerprintAt(long consumedTokens) => Fingerprint;

    /// <summary>
    /// Digest of the tokens of each source by its name, kept beside the fingerprint so that a difference can be named; empty: it cannot.
    /// </summary>
    IReadOnlyDictionary<string, string> SourceFingerprints => new Dictionary<string, string>();

    /// <summary>What the optimizer step that begins at this many consumed tokens is made of.</summary>
    StepPlan StepAt(long consumedTokens);

    /// <summary>
    /// Steps from the one that begins at <paramref name="consumedTokens"/> to the one that reaches <paramref name="endTokens"/>, each with
    /// the batch that it has there.
    /// </summary>
    long StepsBetween(long consumedTokens, long endTokens)
    {
        long steps = 0;
        for (; consumedTokens < endTokens; steps++)
            consumedTokens += StepAt(consumedTokens).Tokens;
        return steps;
    }

    /// <summary>
    /// Reads sample <paramref name="index"/> of the run. <paramref name="tokens"/> has context + 1 places (inputs and the token after the
    /// last);
    /// <paramref name="documents"/>, where not empty, receives for each of the same places the number of its document within the sequence,
    /// from 0.
    /// </summary>
    void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents);

    /// <summary>Whether tokens have marks: answers are learned and questions only read. False: every token is learned.</summary>
    bool HasMarks => false;

    /// <summary>
    /// Marks of sample <paramref name="index"/>; asked for only where <see cref="HasMarks"/>. <paramref name="marks"/> has a place for each
    /// of the tokens that
    /// <see cref="Read"/> gives.
    /// </summary>
    void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => marks.Fill(TokenMarks.Learned);

    /// <summary>Domains that samples belong to, each of one; empty: they are not told apart.</summary>
    IReadOnlyList<string> Domains => [];

    /// <summary>Place in <see cref="Domains"/> of sample <paramref name="index"/>; asked for only where there are any.</summary>
    int DomainOf(StepPlan step, long index) => 0;

    /// <summary>What each source has had of the tokens of its phase once so many are consumed; empty: nothing is mixed.</summary>
    IReadOnlyList<MixtureShare> MixtureAt(long consumedTokens) => [];
}

/// <summary>A source's part in a phase.</summary>
/// <param name="Source">Name of the source.</param>
/// <param name="Fed">Share of the phase's tokens until now that were the source's, 0 to 1.</param>
/// <param name="Planned">Share that the mixture gives it, 0 to 1.</param>
public readonly record struct MixtureShare(string Source, double Fed, double Planned);

/// <summary>One optimizer step as the curriculum sees it.</summary>
/// <param name="Phase">Number of the phase, from 0.</param>
/// <param name="FirstSample">First sample of the step; samples are numbered through the whole run.</param>
/// <param name="Sequences">Global batch: samples of the step.</param>
/// <param name="Context">Tokens in a sequence.</param>
/// <param name="ConsumedTokens">Tokens fed before the step.</param>
/// <param name="PhaseStartTokens">Tokens fed before the phase.</param>
/// <param name="PhaseTokens">Tokens of the phase.</param>
public sealed record StepPlan(
    int Phase,
    long FirstSample,
    int Sequences,
    int Context,
    long ConsumedTokens,
    long PhaseStartTokens,
    long PhaseTokens
)
{
    /// <summary>Tokens of the step.</summary>
    public long Tokens => (long)Sequences * Context;
}
