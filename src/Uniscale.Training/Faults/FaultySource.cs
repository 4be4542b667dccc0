using Uniscale.Data;

namespace Uniscale.Training.Faults;

/// <summary>Training data that cannot be read at one step.</summary>
/// <param name="inner">The data; not owned.</param>
/// <param name="faults">Is asked before each sample.</param>
internal sealed class FaultySource(ISequenceSource inner, FaultInjector faults) : ISequenceSource
{
    public string Fingerprint => inner.Fingerprint;

    public string FingerprintAt(long consumedTokens) => inner.FingerprintAt(consumedTokens);

    public IReadOnlyDictionary<string, string> SourceFingerprints => inner.SourceFingerprints;

    public StepPlan StepAt(long consumedTokens) => inner.StepAt(consumedTokens);

    public long StepsBetween(long consumedTokens, long endTokens) => inner.StepsBetween(consumedTokens, endTokens);

    public bool HasMarks => inner.HasMarks;

    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => inner.ReadMarks(step, index, marks);

    public IReadOnlyList<string> Domains => inner.Domains;

    public int DomainOf(StepPlan step, long index) => inner.DomainOf(step, index);

    public IReadOnlyList<MixtureShare> MixtureAt(long consumedTokens) => inner.MixtureAt(consumedTokens);

    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        faults.BeforeSample(step.ConsumedTokens, index);
        inner.Read(step, index, tokens, documents);
    }
}
