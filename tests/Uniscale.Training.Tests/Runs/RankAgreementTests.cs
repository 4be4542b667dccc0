using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Tests.Runs;

/// <summary>Ranks that were started apart from each other, each with files, arguments and an environment of its own.</summary>
public sealed class RankAgreementTests : IDisposable
{
    private readonly SmallRuns _runs = new();

    public void Dispose() => _runs.Dispose();

    [Theory]
    [InlineData("optimizer.lr=3e-3", "optimizer.lr is 0.0003 on rank 0 (", ", 0.003 on rank 1 (")]
    [InlineData("train.seed=7", "train.seed is 1234 on rank 0 (", ", 7 on rank 1 (")]
    [InlineData("train.steps=5", "train.steps is 6 on rank 0 (", ", 5 on rank 1 (")]
    [InlineData("model.hidden=32", "model.hidden is 16 on rank 0 (", ", 32 on rank 1 (")]
    [InlineData("checkpoint.every=2", "checkpoint.every is ", ", 2 on rank 1 (")]
    public void ValuesThatDifferAreNamedWithTheirRanks(string override1, string one, string other)
    {
        string sentence = Refusal([], [override1]);
        Assert.StartsWith("The ranks of this job were started differently: ", sentence);
        Assert.Contains(one, sentence);
        Assert.Contains(other, sentence);
        Assert.False(File.Exists(_runs.In("run/metrics.jsonl")));
    }

    [Fact]
    public void OptionsCount()
    {
        Assert.Contains("--resume is absent on rank 0 (", Refusal([], [], new TrainingOptions { Resume = true }));
        Assert.Contains("--stop-after is absent on rank 0 (", Refusal([], [], new TrainingOptions { StopAfter = 3 }));
    }

    /// <summary>Paths and processors may be the host's own; what lies at the paths may not.</summary>
    [Fact]
    public void DataAreComparedByContentAndNotByPath()
    {
        foreach (string extension in (string[])[".bin", ".idx"])
            File.Copy(_runs.In("corpus" + extension), _runs.In("scratch" + extension));
        string scratch = $"data.sources=[{{name: corpus, shards: [{_runs.In("scratch")}]}}]";
        Assert.Null(TryTrain([], [scratch, "train.threads=2"], new TrainingOptions(), new TrainingOptions()));

        byte[] bytes = File.ReadAllBytes(_runs.In("scratch.bin"));
        bytes[100] ^= 1;
        File.WriteAllBytes(_runs.In("scratch.bin"), bytes);
        string sentence = Refusal([], [scratch], run: "other");
        Assert.Contains("data source 'corpus' is ", sentence);
        Assert.Contains("the order of the data is ", sentence);
    }

    [Fact]
    public async Task SecretsThatDifferAreNamedAndNotShown()
    {
        ResolvedConfiguration With(string value)
        {
            Environment.SetEnvironmentVariable("UNISCALE_TEST_AGREED_KEY", value);
            return ConfigurationLoader.Parse("{ train: { steps: 1 }, checkpoint: { tiers: ['/t/${UNISCALE_TEST_AGREED_KEY}'] } }");
        }
        var (one, other) = (With("first-secret-0815"), With("other-secret-4711"));
        var worlds = InProcessWorld.Create(2);
        var second = Task.Run(() =>
            Assert.Throws<UserErrorException>(() => RankAgreement.OnStart(other, new TrainingOptions()).Check(worlds[1], "b")).Message
        );
        string sentence = Assert
            .Throws<UserErrorException>(() => RankAgreement.OnStart(one, new TrainingOptions()).Check(worlds[0], "a"))
            .Message;
        Assert.Contains(": checkpoint.tiers[0] (secret) is one value on rank 0 (a), another on rank 1 (b). Give every rank", sentence);
        Assert.Equal(sentence, await second);
        foreach (var world in worlds)
            world.Dispose();
    }

    [Fact]
    public void ManyRanksAndKeysAreASentenceStill()
    {
        RankFacts Of(int rank) => new($"n{rank}", new() { ["lr"] = rank == 5 ? "2" : "1", [$"only-{rank % 9}"] = "x" });
        string sentence = RankAgreement.Sentence([.. Enumerable.Range(0, 64).Select(Of)]);
        Assert.Contains("lr is 1 on ranks 0, 1, 2, 3, 4, 6, 7, 8 and 55 more (n0), 2 on rank 5 (n5)", sentence);
        Assert.Contains("; and 4 more. Give", sentence);
    }

    private string Refusal(string[] first, string[] second, TrainingOptions? other = null, string run = "run") =>
        TryTrain(first, second, new TrainingOptions(), other ?? new TrainingOptions(), run)
        ?? throw new InvalidOperationException("the ranks were not refused");

    private string? TryTrain(string[] first, string[] second, TrainingOptions options, TrainingOptions other, string run = "run")
    {
        TrainingJob Job(string[] settings, TrainingOptions asked) => new(_runs.Configure(run, settings), asked, new StopRequest());
        TrainingJob[] jobs = [Job(first, options), Job(second, other)];
        try
        {
            RankLauncher.Run(2, jobs[0].Folder.FullPath, rank => jobs[rank.World.Rank].Run(rank));
            return null;
        }
        catch (UserErrorException refusal)
        {
            return refusal.Message;
        }
    }
}
