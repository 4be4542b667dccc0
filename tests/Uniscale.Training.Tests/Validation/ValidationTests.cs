using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Validation;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Validation;

public sealed class ValidationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-validation-").FullName;

    [Fact]
    public void TheLastSequenceIsFilledWithIgnoredTokens()
    {
        using var source = Shard(21);
        var set = new ValidationSet(source, context: 8, sequences: 0);
        Assert.Equal(3, set.SequenceCount);
        int[] tokens = new int[9];
        set.Read(set.StepAt(0), 2, tokens, []);
        Assert.Equal([16, 17, 18, 19, 20, -1, -1, -1, -1], tokens);
        set.Read(set.StepAt(0), 3, tokens, []);
        Assert.All(tokens, token => Assert.Equal(-1, token));
        Assert.Equal(Enumerable.Range(1, 20).Sum(), set.TargetBytes([.. Enumerable.Range(0, 21)]));
    }

    [Theory]
    [InlineData(21, 8, 0, new long[] { 0, 8, 16 })]
    [InlineData(21, 8, 3, new long[] { 0, 8, 16 })]
    [InlineData(97, 8, 3, new long[] { 16, 48, 80 })]
    [InlineData(100, 8, 4, new long[] { 8, 32, 56, 80 })]
    [InlineData(100, 8, 1, new long[] { 48 })]
    [InlineData(2, 8, 64, new long[] { 0 })]
    public void TheSequencesLieEvenlyOverTheSource(int count, int context, int sequences, long[] starts)
    {
        using var source = Shard(count);
        var set = new ValidationSet(source, context, sequences);
        int[] tokens = new int[context + 1];
        Assert.Equal(
            starts,
            Enumerable
                .Range(0, set.SequenceCount)
                .Select(index =>
                {
                    set.Read(set.StepAt(0), index, tokens, []);
                    return (long)tokens[0];
                })
        );
    }

    /// <summary>The mean of no losses is no number, which every bound of a phase would take for a bad one.</summary>
    [Fact]
    public void ASourceWithoutATargetIsRefusedBeforeTraining()
    {
        using var source = Shard(1);
        string message = Assert.Throws<UserErrorException>(() => new ValidationSet(source, context: 8, sequences: 0)).Message;
        Assert.StartsWith("The validation source 'held-out' has 1 token(s)", message);
    }

    [Fact]
    public void BitsPerByteAndTotalsFollowTheirFormulas()
    {
        ValidationResult[] results = [new("a", "web", 10, 40, 20), new("b", "code", 30, 60, 30)];
        Assert.Equal(2, results[0].Loss);
        Assert.Equal(20 / Math.Log(2) / 40, results[0].BitsPerByte, 12);
        Assert.Equal(Math.Exp(50.0 / 40), ValidationResult.Total(results).Perplexity, 12);
    }

    [Theory]
    [InlineData(1, "tensor: 1")]
    [InlineData(2, "data: 2")]
    [InlineData(2, "pipeline: 2")]
    [InlineData(2, "tensor: 2")]
    [InlineData(2, "context: 2")]
    [InlineData(2, "data: 2, zero: { stage: 3 }")]
    [InlineData(4, "pipeline: 2, data: 2, zero: { stage: 1 }")]
    public void EveryLayoutValidatesAlike(int ranks, string parallel)
    {
        using (Shard(100)) { }
        string yaml = $$"""
            model: { layers: 2, hidden: 32, heads: 4, ffn: 64, context: 8, vocabulary: 128 }
            batch: { global: 4, micro: 1 }
            train: { steps: 1 }
            evaluation: { sequences: 7 }
            data: { validation: [ { name: held-out, domain: web, shards: ["{{_folder}}/shard"] } ] }
            parallel: { {{parallel}} }
            """;
        var configuration = ConfigurationLoader.Parse(yaml).Value;
        var results = new ValidationResult[ranks];
        var worlds = InProcessWorld.Create(ranks);
        var threads = worlds.Select(world => new Thread(() => results[world.Rank] = Validate(configuration, world))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        foreach (var world in worlds)
            world.Dispose();
        // Seven sequences of eight targets; the loss of untrained weights is near ln 128.
        Assert.All(results, result => Assert.Equal(56, result.TokenCount));
        Assert.All(results, result => Assert.Equal(One.Value.Loss, result.Loss, 4e-5));
        Assert.InRange(results[0].Loss, Math.Log(128) - 0.5, Math.Log(128) + 0.5);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly Lazy<ValidationResult> One = new(() =>
    {
        using var test = new ValidationTests();
        using (test.Shard(100)) { }
        var configuration = ConfigurationLoader
            .Parse(
                $$"""
                model: { layers: 2, hidden: 32, heads: 4, ffn: 64, context: 8, vocabulary: 128 }
                batch: { global: 4, micro: 1 }
                train: { steps: 1 }
                evaluation: { sequences: 7 }
                data: { validation: [ { name: held-out, domain: web, shards: ["{{test._folder}}/shard"] } ] }
                """
            )
            .Value;
        var world = InProcessWorld.Create(1)[0];
        using (world)
            return Validate(configuration, world);
    });

    private static ValidationResult Validate(RunConfiguration configuration, IWorld world)
    {
        TorchThreads.Set(1);
        using var scope = NewDisposeScope();
        var training = new SyntheticSource(configuration, 128);
        using var runtime = RankRuntime.Create(configuration, world, training, 32, 128);
        using var validator = new Validator(configuration, []);
        return Assert.Single(validator.Run(runtime, [])!);
    }

    private TokenSource Shard(int count)
    {
        string prefix = Path.Combine(_folder, "shard");
        using (var writer = new ShardWriter(prefix, 128))
        {
            writer.Add([.. Enumerable.Range(0, count)]);
            writer.Complete();
        }
        return TokenSource.Open(
            new SourceSection
            {
                Name = "held-out",
                Domain = "web",
                Shards = [prefix],
            }
        );
    }
}
