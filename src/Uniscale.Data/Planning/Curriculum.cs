using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// The training data of a run as a function of (configuration, seed, position): which sources, phases and batches, and which tokens sample
/// k is.
/// Nothing is kept of what was read; two curricula of the same configuration and data agree on every sample.
/// </summary>
public sealed class Curriculum : ISequenceSource, IDisposable
{
    private readonly Lazy<string> _fingerprint;
    private readonly long _seed;
    private readonly int[] _domains;

    private Curriculum(IReadOnlyList<TokenSource> sources, PhaseBuilder builder, long seed)
    {
        Sources = sources;
        Phases = builder.Build();
        Window = builder.Window;
        Orders = builder.Orders;
        Domains = [.. sources.Select(source => source.Domain).Distinct(StringComparer.Ordinal)];
        _domains = [.. sources.Select(source => Domains.ToList().IndexOf(source.Domain))];
        _seed = seed;
        _fingerprint = new Lazy<string>(() => DigestUntil(TotalTokens));
    }

    /// <summary>The sources, in the order of the configuration.</summary>
    public IReadOnlyList<TokenSource> Sources { get; }

    /// <summary>The phases, in order.</summary>
    public IReadOnlyList<Phase> Phases { get; }

    /// <summary>Tokens in a window, the unit that sources are shuffled in.</summary>
    public int Window { get; }

    /// <summary>Tokens of all phases.</summary>
    public long TotalTokens => Phases[^1].StartTokens + Phases[^1].Tokens;

    /// <summary>Samples of all phases.</summary>
    public long TotalSamples => Phases[^1].FirstSample + Phases[^1].SampleCount;

    /// <summary>Steps of all phases.</summary>
    public long TotalSteps => Phases.Sum(phase => phase.Steps.StepCount);

    /// <inheritdoc/>
    public string Fingerprint => _fingerprint.Value;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> SourceFingerprints =>
        Sources.ToDictionary(source => source.Name, source => source.Fingerprint);

    /// <inheritdoc/>
    public IReadOnlyList<string> Domains { get; }

    internal IReadOnlyList<WindowOrder> Orders { get; }

    /// <summary>Opens the sources of a configuration and plans its phases; without phases, one over all data.</summary>
    /// <param name="config">The run.</param>
    /// <param name="vocabulary">Number of token values of the model; a token outside is refused when it is read.</param>
    /// <exception cref="UserErrorException">A shard is missing or damaged, or the plan is impossible; the sentence says which.</exception>
    public static Curriculum FromConfiguration(RunConfiguration config, int vocabulary = int.MaxValue)
    {
        if (config.Data.Sources.Count == 0)
            throw new UserErrorException("data.sources is empty; name at least one source with its shards.");
        var sources = new List<TokenSource>();
        try
        {
            foreach (var section in config.Data.Sources)
                sources.Add(TokenSource.Open(section, vocabulary));
            if (sources.GroupBy(source => source.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                throw new UserErrorException($"Two data sources are named '{twice.Key}'; give each its own name.");
            return new Curriculum(sources, new PhaseBuilder(config, sources), config.Train.Seed);
        }
        catch
        {
            sources.ForEach(source => source.Dispose());
            throw;
        }
    }

    /// <summary>
    /// Refuses what a run that begins most likely does not mean; one that trained so is still read, continued and forked.
    /// </summary>
    /// <param name="config">What this was made from.</param>
    /// <exception cref="UserErrorException">A source has a shard twice, or the steps go beyond the phases.</exception>
    public void CheckBeginning(RunConfiguration config)
    {
        // Patterns that overlap would feed a shard as often as they meet, unseen by what counts epochs.
        foreach (var source in Sources)
            if (source.Shards.GroupBy(shard => Path.GetFullPath(shard.Prefix)).FirstOrDefault(group => group.Count() > 1) is { } twice)
                throw new UserErrorException(
                    $"The data source '{source.Name}' names the shard {twice.Key} {twice.Count()} times: name it once (a source that is to be seen more often gets more weight)."
                );
        if (config.Phases.Count > 0 && config.Train.Steps > TotalSteps)
            throw new UserErrorException(
                $"train.steps is {config.Train.Steps}, but the phases end at step {TotalSteps}: lower it, or give the phases more tokens."
            );
    }

    /// <summary>
    /// Digest of the sources that fed something until then, and of what decided their order. Later phases do not enter, nor does the length
    /// of the phase
    /// under way where its order does not depend on it (context not below the window): so a run can be continued, and forked, where nothing
    /// fed changes.
    /// </summary>
    public string FingerprintAt(long consumedTokens) => DigestUntil(consumedTokens);

    /// <summary>The phase in which the token after <paramref name="consumedTokens"/> is fed.</summary>
    public Phase PhaseAt(long consumedTokens)
    {
        if (consumedTokens < 0 || consumedTokens >= TotalTokens)
            throw new ArgumentOutOfRangeException(
                nameof(consumedTokens),
                $"The curriculum has {TotalTokens} tokens; nothing is fed after {consumedTokens}."
            );
        return Phases.Last(phase => phase.StartTokens <= consumedTokens);
    }

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens)
    {
        var phase = PhaseAt(consumedTokens);
        (long sample, long rest) = Math.DivRem(consumedTokens - phase.StartTokens, phase.Settings.Context);
        if (rest != 0)
            throw new ArgumentException(
                $"{consumedTokens} consumed tokens lie within a sequence of phase '{phase.Settings.Name}', not between two steps.",
                nameof(consumedTokens)
            );
        return new StepPlan(
            phase.Number,
            phase.FirstSample + sample,
            phase.Steps.SequencesAt(sample),
            phase.Settings.Context,
            consumedTokens,
            phase.StartTokens,
            phase.Tokens
        );
    }

    /// <inheritdoc/>
    public long StepsBetween(long consumedTokens, long endTokens) => Math.Max(0, StepsUntil(endTokens) - StepsUntil(consumedTokens));

    /// <summary>Steps of the run until a token count is reached; the one that reaches it counts. O(phases).</summary>
    public long StepsUntil(long consumedTokens)
    {
        if (consumedTokens <= 0)
            return 0;
        if (consumedTokens >= TotalTokens)
            return TotalSteps;
        Phase phase = Phases.Last(phase => phase.StartTokens < consumedTokens);
        long sample = (consumedTokens - 1 - phase.StartTokens) / phase.Settings.Context;
        return Phases.Take(phase.Number).Sum(earlier => earlier.Steps.StepCount) + phase.Steps.StepOf(sample).Step + 1;
    }

    /// <summary>The step in which a token of the run is fed, wherever in the step it lies.</summary>
    public StepPlan StepAround(long token)
    {
        var phase = PhaseAt(token);
        (_, long first) = phase.Steps.StepOf((token - phase.StartTokens) / phase.Settings.Context);
        return StepAt(phase.StartTokens + first * phase.Settings.Context);
    }

    /// <summary>Where sample <paramref name="index"/> of the run comes from. O(log sources + phases).</summary>
    public SampleLocation Locate(long index) => Locate(Phases.Last(phase => phase.FirstSample <= index), index);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        if (tokens.Length != step.Context + 1 || (!documents.IsEmpty && documents.Length != tokens.Length))
            throw new ArgumentException(
                $"A sequence of {step.Context} tokens needs room for {step.Context + 1}, not {tokens.Length} (documents: {documents.Length}).",
                nameof(tokens)
            );
        var sample = Locate(Phases[step.Phase], index);
        var source = Sources[sample.Source];
        int document = 0;
        foreach (var piece in PiecesOf(sample))
        {
            // The last piece has one token more, the target of its last.
            int count = piece.Count + (piece.First + piece.Count == step.Context ? 1 : 0);
            source.Read(piece.Position, tokens.Slice(piece.First, count));
            if (!documents.IsEmpty)
                document = source.ReadDocuments(piece.Position, documents.Slice(piece.First, count), document) + 1;
        }
    }

    /// <inheritdoc/>
    public bool HasMarks => Sources.Any(source => source.Packs is not null);

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
    {
        var sample = Locate(Phases[step.Phase], index);
        foreach (var piece in PiecesOf(sample))
        {
            int count = piece.Count + (piece.First + piece.Count == step.Context ? 1 : 0);
            Sources[sample.Source].ReadMarks(piece.Position, marks.Slice(piece.First, count));
        }
    }

    /// <inheritdoc/>
    public int DomainOf(StepPlan step, long index)
    {
        var phase = Phases[step.Phase];
        return _domains[phase.Interleaving.At(index - phase.FirstSample).Source];
    }

    /// <inheritdoc/>
    public IReadOnlyList<MixtureShare> MixtureAt(long consumedTokens)
    {
        if (consumedTokens <= 0 || Sources.Count < 2)
            return [];
        var phase = Phases.Last(phase => phase.StartTokens < consumedTokens);
        long samples = SamplesUntil(phase, consumedTokens);
        if (samples == 0)
            return [];
        long[] counts = phase.Interleaving.CountsOf(samples);
        return [.. counts.Select((count, i) => new MixtureShare(Sources[i].Name, count / (double)samples, phase.Interleaving.Weights[i]))];
    }

    /// <summary>The stretches of consecutive tokens that a sample is made of; one, unless the context does not divide the window.</summary>
    public IEnumerable<TokenPiece> PiecesOf(SampleLocation sample)
    {
        for (int done = 0; done < sample.Context;)
        {
            (long position, long contiguous) = Orders[sample.Source].At(sample.Epoch, sample.Offset + done);
            int count = (int)Math.Min(sample.Context - done, contiguous);
            yield return new TokenPiece(done, position, count);
            done += count;
        }
    }

    /// <summary>What has been fed once <paramref name="consumedTokens"/> are consumed: exact counts by phase, source and epoch.</summary>
    /// <param name="consumedTokens">The position.</param>
    /// <param name="discarded">What a run has fed without its being in the weights; null: nothing. What lies after the position does not
    /// count.</param>
    public Ledger LedgerAt(long consumedTokens, IReadOnlyList<DiscardedSpan>? discarded = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(consumedTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(consumedTokens, TotalTokens);
        var entries = new List<LedgerEntry>();
        foreach (var phase in Phases)
        {
            long samples = Math.Min(phase.SampleCount, (consumedTokens - phase.StartTokens) / phase.Settings.Context);
            if (samples <= 0)
                break;
            long[] counts = phase.Interleaving.CountsOf(samples);
            for (int i = 0; i < counts.Length; i++)
            {
                if (counts[i] == 0)
                    continue;
                var run = phase.RunOf(i)!;
                entries.Add(
                    new LedgerEntry(
                        phase.Number,
                        i,
                        counts[i],
                        counts[i] * run.Context,
                        phase.Interleaving.Weights[i],
                        run.Start,
                        run.CursorAfter(counts[i]),
                        run.SkippedIn(counts[i]),
                        [.. run.EpochsOf(counts[i])]
                    )
                );
            }
        }
        long[] lost = DiscardedOf(discarded ?? [], consumedTokens);
        return new Ledger(
            consumedTokens,
            entries,
            [
                .. Sources.Select(
                    (source, i) => TotalOf(i, [.. entries.Where(entry => entry.Source == i)]) with { DiscardedTokens = lost[i] }
                ),
            ]
        );
    }

    /// <summary>Tokens of discarded spans by source.</summary>
    private long[] DiscardedOf(IReadOnlyList<DiscardedSpan> spans, long consumedTokens)
    {
        long[] tokens = new long[Sources.Count];
        foreach (var span in spans)
        {
            foreach (var phase in Phases)
            {
                long from = SamplesUntil(phase, span.FromTokens),
                    to = SamplesUntil(phase, Math.Min(span.ToTokens, consumedTokens));
                if (to <= from)
                    continue;
                long[] before = phase.Interleaving.CountsOf(from),
                    after = phase.Interleaving.CountsOf(to);
                for (int i = 0; i < tokens.Length; i++)
                    tokens[i] += (after[i] - before[i]) * phase.Settings.Context;
            }
        }
        return tokens;
    }

    private static long SamplesUntil(Phase phase, long tokens) =>
        Math.Clamp((tokens - phase.StartTokens) / phase.Settings.Context, 0, phase.SampleCount);

    private SourceTotal TotalOf(int source, LedgerEntry[] entries) =>
        new(
            source,
            Sources[source].TokenCount,
            entries.Sum(entry => entry.Tokens),
            entries.Sum(entry => entry.SkippedTokens),
            entries.Length > 0 ? entries[^1].End : default
        );

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var source in Sources)
            source.Dispose();
    }

    private static SampleLocation Locate(Phase phase, long index)
    {
        if (index < phase.FirstSample || index >= phase.FirstSample + phase.SampleCount)
            throw new ArgumentOutOfRangeException(nameof(index), $"Sample {index} is not in phase '{phase.Settings.Name}'.");
        (int source, long ordinal) = phase.Interleaving.At(index - phase.FirstSample);
        var cursor = phase.RunOf(source)!.Locate(ordinal);
        return new SampleLocation(phase.Number, source, ordinal, cursor.Epoch, cursor.Offset, phase.Settings.Context);
    }

    private string DigestUntil(long consumedTokens)
    {
        Phase[] fed = [.. Phases.Where(phase => phase.StartTokens < consumedTokens)];
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"seed {_seed} window {Window}\n");
        foreach (var source in Sources.Where((_, i) => fed.Any(phase => phase.Interleaving.Weights[i] > 0)))
            text.Append(CultureInfo.InvariantCulture, $"{source.Name} {source.Fingerprint}\n");
        foreach (var phase in fed)
        {
            bool open = phase == fed[^1] && phase.Settings.Context >= Window;
            text.Append(CultureInfo.InvariantCulture, $"{phase.Settings.Context} {(open ? "open" : phase.SampleCount)}");
            for (int i = 0; i < Sources.Count; i++)
                if (phase.Interleaving.Weights[i] > 0)
                    text.Append(CultureInfo.InvariantCulture, $" {Sources[i].Name}={phase.Interleaving.Weights[i]:R}");
            text.Append('\n');
        }
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(text.ToString())));
    }
}

/// <summary>Where a sample comes from.</summary>
/// <param name="Phase">Number of the phase.</param>
/// <param name="Source">Index of the source.</param>
/// <param name="Ordinal">Which of the samples that the phase takes from the source.</param>
/// <param name="Epoch">Epoch of the source, from 0.</param>
/// <param name="Offset">First token within the epoch's stream of windows.</param>
/// <param name="Context">Tokens of the sample.</param>
public sealed record SampleLocation(int Phase, int Source, long Ordinal, long Epoch, long Offset, int Context);

/// <summary>Consecutive tokens of a source within a sample.</summary>
/// <param name="First">Place of the first in the sample.</param>
/// <param name="Position">Its position in the source.</param>
/// <param name="Count">How many.</param>
public readonly record struct TokenPiece(int First, long Position, int Count);
