using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

public sealed class CurriculumTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public void An_epoch_feeds_every_token_once()
    {
        using var curriculum = Curriculum.FromConfiguration(ShardFolder.Run(16, 4, 16 * 60, _corpus.Source("a", 961)));
        List<int> fed = [.. Samples(curriculum).SelectMany(sample => sample.Tokens[..^1])];
        Assert.Equal(Enumerable.Range(0, 960), fed.Order());
        Assert.NotEqual(Enumerable.Range(0, 960), fed);
    }

    [Fact]
    public void The_target_of_the_last_token_is_the_token_after_it()
    {
        using var curriculum = Curriculum.FromConfiguration(ShardFolder.Run(16, 4, 16 * 60, _corpus.Source("a", 1000)));
        foreach ((_, int[] tokens, _) in Samples(curriculum))
            Assert.Equal(Enumerable.Range(tokens[0], 17), tokens);
    }

    [Fact]
    public void Documents_are_numbered_within_a_sequence()
    {
        using var curriculum = Curriculum.FromConfiguration(ShardFolder.Run(100, 4, 100 * 8, _corpus.Source("a", 1000)));
        foreach ((_, int[] tokens, int[] documents) in Samples(curriculum))
            Assert.Equal(tokens.Select(token => token / 37 - tokens[0] / 37), documents);
    }

    [Fact]
    public void Two_curricula_agree_and_another_seed_does_not()
    {
        var config = ShardFolder.Run(16, 4, 16 * 40, _corpus.Source("a", 1000));
        using var first = Curriculum.FromConfiguration(config);
        using var again = Curriculum.FromConfiguration(config);
        using var other = Curriculum.FromConfiguration(config with { Train = config.Train with { Seed = 5 } });
        Assert.Equal(Samples(first).Select(s => s.Tokens), Samples(again).Select(s => s.Tokens));
        Assert.NotEqual(Samples(first).Select(s => s.Tokens), Samples(other).Select(s => s.Tokens));
        Assert.Equal(first.Fingerprint, again.Fingerprint);
        Assert.NotEqual(first.Fingerprint, other.Fingerprint);
    }

    [Fact]
    public void Steps_follow_each_other_through_ramp_and_phases()
    {
        var config = ShardFolder.Run(16, 4, 0, _corpus.Source("a", 5000), _corpus.Source("b", 5000, 100_000)) with
        {
            Phases =
            [
                new PhaseSection
                {
                    Name = "one",
                    Tokens = 1000,
                    Batch = new BatchSection
                    {
                        Ramp = new Dictionary<string, string> { ["0"] = "2", ["320"] = "4" },
                    },
                },
                new PhaseSection
                {
                    Name = "two",
                    Tokens = 2000,
                    Context = 32,
                },
            ],
        };
        using var curriculum = Curriculum.FromConfiguration(config);
        long consumed = 0,
            sample = 0;
        var steps = new List<StepPlan>();
        while (consumed < curriculum.TotalTokens)
        {
            var step = curriculum.StepAt(consumed);
            Assert.Equal((sample, consumed), (step.FirstSample, step.ConsumedTokens));
            steps.Add(step);
            consumed += step.Tokens;
            sample += step.Sequences;
        }
        Assert.Equal(sample, curriculum.TotalSamples);
        Assert.Equal(steps.Count, curriculum.TotalSteps);
        for (int i = 0; i < steps.Count; i++)
        {
            Assert.Equal(steps.Count - i, curriculum.StepsBetween(steps[i].ConsumedTokens, consumed));
            Assert.Equal(i + 1, curriculum.StepsUntil(steps[i].ConsumedTokens + steps[i].Tokens));
            Assert.Equal(i + 1, curriculum.StepsUntil(steps[i].ConsumedTokens + 1));
        }
        Assert.Equal([.. Enumerable.Repeat(2, 10), .. Enumerable.Repeat(4, 11)], steps.Where(s => s.Phase == 0).Select(s => s.Sequences));
        Assert.Equal(
            Enumerable.Repeat((4, 32, 1024L, 2048L), 16),
            steps.Where(s => s.Phase == 1).Select(s => (s.Sequences, s.Context, s.PhaseStartTokens, s.PhaseTokens))
        );
    }

    [Fact]
    public void Nothing_is_repeated_while_mixture_context_and_batch_change()
    {
        var config = ShardFolder.Run(32, 4, 0, _corpus.Source("a", 6000), _corpus.Source("b", 6000, 100_000)) with
        {
            Phases =
            [
                new PhaseSection
                {
                    Tokens = 3000,
                    Context = 16,
                    Mixture = new Dictionary<string, double> { ["a"] = 3, ["b"] = 1 },
                },
                new PhaseSection
                {
                    Tokens = 2000,
                    Context = 64,
                    Mixture = new Dictionary<string, double> { ["a"] = 1, ["b"] = 3 },
                    Batch = new BatchSection { Global = 2 },
                },
                new PhaseSection
                {
                    Tokens = 3000,
                    Mixture = new Dictionary<string, double> { ["b"] = 1, ["a"] = 1 },
                },
            ],
        };
        using var curriculum = Curriculum.FromConfiguration(config);
        List<int> fed = [.. Samples(curriculum).SelectMany(sample => sample.Tokens[..^1])];
        Assert.Equal(curriculum.TotalTokens, fed.Count);
        Assert.Equal(fed.Count, fed.Distinct().Count());
    }

    [Fact]
    public void A_mixture_may_name_domains()
    {
        SourceSection small = _corpus.Source("small", 1000) with { Domain = "web" },
            large = _corpus.Source("large", 3000, 10_000) with { Domain = "web" };
        var config = ShardFolder.Run(10, 4, 0, small, large, _corpus.Source("code", 4000, 100_000)) with
        {
            Phases =
            [
                new PhaseSection
                {
                    Tokens = 4000,
                    Mixture = new Dictionary<string, double> { ["web"] = 0.5, ["code"] = 0.5 },
                },
            ],
        };
        using var curriculum = Curriculum.FromConfiguration(config);
        Assert.Equal([0.125, 0.375, 0.5], curriculum.Phases[0].Interleaving.Weights);
        Assert.Equal([50, 150, 200], Enumerable.Range(0, 3).Select(curriculum.Phases[0].SamplesOf));
    }

    [Fact]
    public void What_cannot_be_is_refused_in_one_sentence()
    {
        SourceSection a = _corpus.Source("a", 1000),
            tiny = _corpus.Source("tiny", 12, 5000);
        var config = ShardFolder.Run(16, 4, 1600, a);
        Assert.Contains(
            "'tiny' has a weight",
            Refused(ShardFolder.Run(16, 4, 1600, a with { Weight = 1 }, tiny with { Weight = 1 })),
            StringComparison.Ordinal
        );
        Assert.Contains("1.61 times", Refused(config with { Data = config.Data with { MaxEpochs = 1 } }), StringComparison.Ordinal);
        Assert.Contains("no length", Refused(config with { Train = new TrainSection() }), StringComparison.Ordinal);
        Assert.Contains("data.sources is empty", Refused(config with { Data = new DataSection() }), StringComparison.Ordinal);
        Assert.Contains("named 'a'", Refused(ShardFolder.Run(16, 4, 1600, a, a)), StringComparison.Ordinal);
        Assert.Contains(
            "No shard matches",
            Refused(ShardFolder.Run(16, 4, 1600, a with { Shards = [_corpus.PathOf("none*")] })),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'b', which is neither",
            Refused(
                config with
                {
                    Phases =
                    [
                        new PhaseSection
                        {
                            Tokens = 10,
                            Mixture = new Dictionary<string, double> { ["b"] = 1 },
                        },
                    ],
                }
            ),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_token_outside_the_vocabulary_is_refused_where_it_is_read()
    {
        var config = ShardFolder.Run(16, 4, 16 * 60, _corpus.Source("a", 961));
        using (var whole = Curriculum.FromConfiguration(config, vocabulary: 961))
            Assert.Equal(60, Samples(whole).Count());
        using var curriculum = Curriculum.FromConfiguration(config, vocabulary: 960);
        string message = Assert.Throws<UserErrorException>(() => Samples(curriculum).Count()).Message;
        Assert.Contains("a.bin holds the token 960 at position 960, outside the vocabulary of 960", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Longer_training_keeps_the_order_and_the_fingerprint()
    {
        var config = ShardFolder.Run(16, 4, 640, _corpus.Source("a", 1000));
        using var first = Curriculum.FromConfiguration(config);
        using var longer = Curriculum.FromConfiguration(config with { Train = new TrainSection { Tokens = 1920 } });
        Assert.Equal(first.Fingerprint, longer.Fingerprint);
        Assert.Equal(Samples(first).Select(s => s.Tokens), Samples(longer).Take(40).Select(s => s.Tokens));
    }

    /// <summary>All samples of the run in order, with their documents.</summary>
    internal static IEnumerable<(long Index, int[] Tokens, int[] Documents)> Samples(Curriculum curriculum)
    {
        for (long consumed = 0; consumed < curriculum.TotalTokens;)
        {
            var step = curriculum.StepAt(consumed);
            for (long index = step.FirstSample; index < step.FirstSample + step.Sequences; index++)
            {
                int[] tokens = new int[step.Context + 1],
                    documents = new int[step.Context + 1];
                curriculum.Read(step, index, tokens, documents);
                yield return (index, tokens, documents);
            }
            consumed += step.Tokens;
        }
    }

    [Fact]
    public void What_a_run_does_not_begin_with_is_still_read()
    {
        var a = _corpus.Source("a", 1000);
        var twice = ShardFolder.Run(16, 4, 1600, a with { Shards = [.. a.Shards, .. a.Shards] });
        Assert.Contains("names the shard", RefusedAtTheBeginning(twice), StringComparison.Ordinal);
        var beyond = ShardFolder.Run(16, 4, 1600, a) with
        {
            Train = new TrainSection { Steps = 6 },
            Phases = [new PhaseSection { Tokens = 5 * 4 * 16 }],
        };
        Assert.Contains(
            "train.steps is 6, but the phases end at step 5: lower it, or give the phases more tokens.",
            RefusedAtTheBeginning(beyond),
            StringComparison.Ordinal
        );
    }

    private static string RefusedAtTheBeginning(RunConfiguration config)
    {
        using var curriculum = Curriculum.FromConfiguration(config);
        return Assert.Throws<UserErrorException>(() => curriculum.CheckBeginning(config)).Message;
    }

    private static string Refused(RunConfiguration config) =>
        Assert.Throws<UserErrorException>(() => Curriculum.FromConfiguration(config).Dispose()).Message;
}
