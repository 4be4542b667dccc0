using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

public sealed class LedgerTests : IDisposable
{
    private const int Sizes = 3;

    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    /// <summary>Random curricula over small sources, several epochs deep, checked against every sequence that they feed.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void The_ledger_is_what_was_fed_and_no_epoch_repeats_a_token(int seed)
    {
        var random = new Random(seed);
        var config = RandomRun(random);
        using var curriculum = Curriculum.FromConfiguration(config);
        var seen = new Dictionary<(int Source, long Epoch), HashSet<long>>();
        long[] fed = new long[Sizes];
        var perEpoch = new Dictionary<(int Phase, int Source, long Epoch), long>();
        long consumed = 0;
        foreach ((long index, int[] tokens, _) in CurriculumTests.Samples(curriculum))
        {
            var sample = curriculum.Locate(index);
            Assert.Equal(sample.Source, tokens[0] / 100_000);
            var epoch = seen.TryGetValue((sample.Source, sample.Epoch), out var known) ? known : seen[(sample.Source, sample.Epoch)] = [];
            foreach (int token in tokens[..^1])
                Assert.True(epoch.Add(token), $"token {token} twice in epoch {sample.Epoch} of source {sample.Source}");
            fed[sample.Source] += sample.Context;
            perEpoch[(sample.Phase, sample.Source, sample.Epoch)] =
                perEpoch.GetValueOrDefault((sample.Phase, sample.Source, sample.Epoch)) + 1;
            consumed += sample.Context;
            if (index % 41 == 0 || consumed == curriculum.TotalTokens)
                CheckLedger(curriculum.LedgerAt(consumed), fed, perEpoch, curriculum);
        }
        Assert.Equal(curriculum.TotalTokens, consumed);
    }

    /// <summary>Shares of the phase until now by source, and the domain of every sample, counted sequence by sequence.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_mixture_is_what_was_fed_of_the_phase(int seed)
    {
        using var curriculum = Curriculum.FromConfiguration(RandomRun(new Random(seed)));
        Assert.Empty(curriculum.MixtureAt(0));
        long[] counts = new long[Sizes];
        long consumed = 0;
        int phase = 0;
        foreach ((long index, _, _) in CurriculumTests.Samples(curriculum))
        {
            var sample = curriculum.Locate(index);
            if (sample.Phase != phase)
                (phase, counts) = (sample.Phase, new long[Sizes]);
            counts[sample.Source]++;
            int domain = curriculum.DomainOf(curriculum.StepAround(consumed), index);
            Assert.Equal(curriculum.Sources[sample.Source].Domain, curriculum.Domains[domain]);
            consumed += sample.Context;
            if (index % 7 != 0)
                continue;
            var mixture = curriculum.MixtureAt(consumed);
            Assert.Equal(counts.Select(count => count / (double)counts.Sum()), mixture.Select(share => share.Fed));
            Assert.Equal(1, mixture.Sum(share => share.Planned), 1e-9);
        }
        Assert.Equal(curriculum.TotalTokens, consumed);
    }

    /// <summary>Spans of random steps, also across the ends of phases, counted sequence by sequence.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_is_discarded_is_counted_by_source(int seed)
    {
        var random = new Random(seed);
        using var curriculum = Curriculum.FromConfiguration(RandomRun(random));
        var bounds = new List<long>();
        for (long at = 0; at < curriculum.TotalTokens; at += curriculum.StepAt(at).Tokens)
            bounds.Add(at);
        bounds.Add(curriculum.TotalTokens);
        int[] cuts = [.. Enumerable.Range(0, 4).Select(_ => random.Next(bounds.Count)).Order()];
        DiscardedSpan[] spans =
        [
            new(cuts[0], cuts[1], bounds[cuts[0]], bounds[cuts[1]], "loss-spike"),
            new(cuts[2], cuts[3], bounds[cuts[2]], bounds[cuts[3]], "not-finite"),
        ];
        long[] expected = new long[Sizes];
        for (long index = 0, tokens = 0; index < curriculum.TotalSamples; index++)
        {
            var sample = curriculum.Locate(index);
            if (Array.Exists(spans, span => span.FromTokens <= tokens && tokens < span.ToTokens))
                expected[sample.Source] += sample.Context;
            tokens += sample.Context;
        }
        var whole = curriculum.LedgerAt(curriculum.TotalTokens, spans);
        Assert.Equal(expected, whole.Sources.Select(source => source.DiscardedTokens));
        Assert.Equal(spans.Sum(span => span.Tokens), expected.Sum());
        Assert.All(curriculum.LedgerAt(bounds[cuts[0]], spans).Sources, source => Assert.Equal(0, source.DiscardedTokens));
    }

    [Fact]
    public void Spans_are_read_as_they_were_written()
    {
        DiscardedSpan[] spans = [new(3, 4, 300, 400, "not-finite"), new(10, 17, 1000, 1700, "loss-spike")];
        Assert.Equal(
            spans,
            DiscardedSpan.Read(new Dictionary<string, string> { [DiscardedSpan.CheckpointKey] = DiscardedSpan.Write(spans) })
        );
        Assert.Empty(DiscardedSpan.Read(new Dictionary<string, string>()));
        Assert.Throws<UserErrorException>(() =>
            DiscardedSpan.Read(new Dictionary<string, string> { [DiscardedSpan.CheckpointKey] = "3 4 x 400 spike" })
        );
    }

    [Fact]
    public void Proportions_fed_equal_the_mixture_within_a_tenth_of_a_percent()
    {
        double[] weights = [0.751, 0.176, 0.073];
        var config = ShardFolder.Run(16, 64, 0, [.. Enumerable.Range(0, 3).Select(i => _corpus.Source($"s{i}", 4000, 100_000 * i))]) with
        {
            Phases =
            [
                .. Enumerable
                    .Range(0, 3)
                    .Select(p => new PhaseSection
                    {
                        Tokens = 64 * 16 * 40,
                        Mixture = Enumerable.Range(0, 3).ToDictionary(i => $"s{i}", i => weights[(i + p) % 3]),
                    }),
            ],
        };
        using var curriculum = Curriculum.FromConfiguration(config);
        foreach (var entry in curriculum.LedgerAt(curriculum.TotalTokens).Entries)
        {
            var phase = curriculum.Phases[entry.Phase];
            Assert.InRange(entry.Samples - phase.SampleCount * entry.Weight, -1, 1);
            Assert.InRange(entry.Tokens / (double)phase.Tokens, entry.Weight - 0.001, entry.Weight + 0.001);
        }
    }

    [Fact]
    public void A_changed_later_phase_leaves_the_earlier_ones_as_they_were_and_repeats_nothing()
    {
        var config = ShardFolder.Run(16, 4, 0, _corpus.Source("a", 8000), _corpus.Source("b", 8000, 100_000)) with
        {
            Phases =
            [
                new PhaseSection
                {
                    Tokens = 4000,
                    Mixture = new Dictionary<string, double> { ["a"] = 3, ["b"] = 1 },
                },
                new PhaseSection
                {
                    Tokens = 2000,
                    Mixture = new Dictionary<string, double> { ["a"] = 1, ["b"] = 1 },
                },
            ],
        };
        var forked = config with
        {
            Phases =
            [
                config.Phases[0],
                new PhaseSection
                {
                    Tokens = 5000,
                    Mixture = new Dictionary<string, double> { ["b"] = 1 },
                },
            ],
        };
        using Curriculum original = Curriculum.FromConfiguration(config),
            fork = Curriculum.FromConfiguration(forked);
        long start = original.Phases[1].FirstSample;
        int[] before = [.. CurriculumTests.Samples(original).Where(s => s.Index < start).SelectMany(s => s.Tokens[..^1])];
        Assert.Equal(before, CurriculumTests.Samples(fork).Where(s => s.Index < start).SelectMany(s => s.Tokens[..^1]));
        var after = CurriculumTests.Samples(fork).Where(s => s.Index >= start).SelectMany(s => s.Tokens[..^1]);
        Assert.Empty(before.Intersect(after));
        Assert.Equal(
            original.LedgerAt(original.Phases[1].StartTokens).Sources.Select(s => s.Cursor),
            fork.LedgerAt(fork.Phases[1].StartTokens).Sources.Select(s => s.Cursor)
        );
    }

    private RunConfiguration RandomRun(Random random)
    {
        int[] contexts = [8, 16, 24, 32, 64];
        SourceSection[] sources = [.. Enumerable.Range(0, Sizes).Select(i => _corpus.Source($"s{i}", random.Next(200, 1500), 100_000 * i))];
        return ShardFolder.Run(16, 4, 0, sources) with
        {
            Train = new TrainSection { Seed = random.Next() },
            Phases =
            [
                .. Enumerable
                    .Range(0, 4)
                    .Select(_ => new PhaseSection
                    {
                        Tokens = random.Next(500, 3000),
                        Context = contexts[random.Next(contexts.Length)],
                        Mixture = Enumerable
                            .Range(0, Sizes)
                            .ToDictionary(i => $"s{i}", i => i == 0 ? 1 : random.Next(3) * random.NextDouble()),
                    }),
            ],
        };
    }

    private static void CheckLedger(
        Ledger ledger,
        long[] fed,
        Dictionary<(int Phase, int Source, long Epoch), long> perEpoch,
        Curriculum curriculum
    )
    {
        Assert.Equal(fed, ledger.Sources.Select(source => source.FedTokens));
        Assert.Equal(
            perEpoch.OrderBy(e => e.Key),
            ledger
                .Entries.SelectMany(entry => entry.Epochs.Select(e => KeyValuePair.Create((entry.Phase, entry.Source, e.Epoch), e.Samples)))
                .OrderBy(e => e.Key)
        );
        foreach (var total in ledger.Sources)
        {
            long epochTokens = curriculum.Sources[total.Source].TokenCount - 1;
            Assert.Equal(total.Cursor.Epoch * epochTokens + total.Cursor.Offset, total.FedTokens + total.SkippedTokens);
        }
    }
}
