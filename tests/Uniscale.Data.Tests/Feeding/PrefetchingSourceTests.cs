using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

public sealed class PrefetchingSourceTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public void What_is_read_ahead_is_what_is_read()
    {
        using var curriculum = Open();
        using var ahead = new PrefetchingSource(curriculum, curriculum.TotalTokens, withDocuments: true);
        foreach ((long index, int[] tokens, int[] documents) in CurriculumTests.Samples(curriculum))
        {
            var step = ahead.StepAt(StepOf(curriculum, index).ConsumedTokens);
            int[] got = new int[tokens.Length],
                gotDocuments = new int[tokens.Length];
            ahead.Read(step, index, got, gotDocuments);
            Assert.Equal(tokens, got);
            Assert.Equal(documents, gotDocuments);
        }
        Assert.Equal(curriculum.Fingerprint, ahead.Fingerprint);
    }

    [Fact]
    public void The_digest_of_a_batch_is_the_same_for_one_two_and_four_replicas()
    {
        using var curriculum = Open();
        ulong[] one = Digests(curriculum, 1);
        Assert.Equal(one, Digests(curriculum, 2));
        Assert.Equal(one, Digests(curriculum, 4));
        Assert.Equal(one.Length, one.Distinct().Count());
    }

    [Fact]
    public void The_digest_depends_on_tokens_and_on_the_number_of_the_sample()
    {
        ulong digest = SampleDigest.Of(3, [1, 2, 3]);
        Assert.NotEqual(digest, SampleDigest.Of(4, [1, 2, 3]));
        Assert.NotEqual(digest, SampleDigest.Of(3, [1, 2, 4]));
    }

    [Fact]
    public void An_error_while_reading_ahead_is_reported_when_the_sample_is_asked_for()
    {
        using var curriculum = Open();
        using var ahead = new PrefetchingSource(curriculum, curriculum.TotalTokens, withDocuments: false);
        int[] tokens = new int[17];
        StepPlan first = ahead.StepAt(0),
            second = ahead.StepAt(first.Tokens),
            third = ahead.StepAt(first.Tokens + second.Tokens);
        ahead.Read(first, first.FirstSample, tokens, []);
        ahead.Read(second, second.FirstSample, tokens, []); // begins to read the third ahead
        foreach (string name in (string[])["a.bin", "b.bin"])
            using (var file = new FileStream(_corpus.PathOf(name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                file.SetLength(100);
        var fourth = ahead.StepAt(third.ConsumedTokens + third.Tokens);
        Record.Exception(() => ahead.Read(third, third.FirstSample, tokens, [])); // read before or after the cut
        Assert.Throws<UserErrorException>(() => ahead.Read(fourth, fourth.FirstSample, tokens, []));
    }

    /// <summary>Digest of each global batch, as the replicas' digests summed; microbatches of two, replicas side by side.</summary>
    private static ulong[] Digests(Curriculum curriculum, int replicas)
    {
        PrefetchingSource[] sources =
        [
            .. Enumerable.Range(0, replicas).Select(_ => new PrefetchingSource(curriculum, curriculum.TotalTokens, withDocuments: false)),
        ];
        var digests = new List<ulong>();
        for (long consumed = 0; consumed < curriculum.TotalTokens;)
        {
            var step = curriculum.StepAt(consumed);
            int[] tokens = new int[step.Context + 1];
            ulong[] parts = new ulong[replicas];
            for (int sample = 0; sample < step.Sequences; sample++)
            {
                int replica = sample / 2 % replicas;
                sources[replica].Read(step, step.FirstSample + sample, tokens, []);
                parts[replica] = unchecked(parts[replica] + SampleDigest.Of(step.FirstSample + sample, tokens));
            }
            digests.Add(parts.Aggregate(0UL, (sum, part) => unchecked(sum + part)));
            consumed += step.Tokens;
        }
        Array.ForEach(sources, source => source.Dispose());
        return [.. digests];
    }

    private static StepPlan StepOf(Curriculum curriculum, long sample)
    {
        var step = curriculum.StepAt(0);
        while (step.FirstSample + step.Sequences <= sample)
            step = curriculum.StepAt(step.ConsumedTokens + step.Tokens);
        return step;
    }

    private Curriculum Open() =>
        Curriculum.FromConfiguration(
            ShardFolder.Run(16, 8, 0, _corpus.Source("a", 3000), _corpus.Source("b", 3000, 100_000)) with
            {
                Phases =
                [
                    new PhaseSection
                    {
                        Tokens = 1000,
                        Batch = new BatchSection
                        {
                            Ramp = new Dictionary<string, string> { ["0"] = "8", ["500"] = "16" },
                        },
                    },
                    new PhaseSection { Tokens = 2000, Context = 32 },
                ],
            }
        );
}
