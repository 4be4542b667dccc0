using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Training;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Training;

namespace Uniscale.Launching.Tests.Training;

/// <summary>Whole runs on a small corpus, ranks as threads.</summary>
public sealed class TrainingJobTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public TrainingJobTests()
    {
        var random = new Random(5);
        using var writer = new ShardWriter(Path.Combine(_folder.FullName, "corpus"), 64);
        for (int document = 0; document < 200; document++)
        {
            int start = random.Next(64);
            writer.Add([.. Enumerable.Range(0, 40).Select(i => (start + i * (1 + start % 3)) % 64)]);
        }
        writer.Complete();
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ARunLeavesItsConfigurationItsMetricsAndACheckpoint()
    {
        var result = Train("run", ranks: 2);
        Assert.Equal((StopReason.Finished, 6L), (result.Reason, result.Position.Step));
        string run = Path.Combine(_folder.FullName, "run");
        Assert.True(File.Exists(Path.Combine(run, RunFolder.ConfigurationFile)));
        Assert.Equal(6, Losses("run").Count);
        Assert.Contains(Directory.GetDirectories(Path.Combine(run, "checkpoints")), path => path.EndsWith('6'));
    }

    [Fact]
    public void TheSameGlobalBatchGivesTheSameCurveOnOneRankAndOnTwo()
    {
        Train("one", ranks: 1);
        Train("two", ranks: 2);
        foreach (var (one, two) in Losses("one").Zip(Losses("two"))) Assert.Equal(1, two / one, 1e-5);
    }

    [Fact]
    public void ARunThatIsThereIsNotOverwritten()
    {
        Train("run", ranks: 1);
        string sentence = Assert.Throws<UserErrorException>(() => Train("run", ranks: 1)).Message;
        Assert.Contains("already holds a run", sentence);
        Assert.Contains("--resume", sentence);
    }

    [Fact]
    public void AStoppedRunContinuesBitIdentically()
    {
        Train("whole", ranks: 2);
        var stop = new StopRequest();
        stop.Ask();
        var stopped = Train("broken", ranks: 2, stop: stop);
        Assert.Equal((StopReason.Asked, 1L), (stopped.Reason, stopped.Position.Step));
        Train("broken", ranks: 2, new TrainingOptions { Resume = true });
        Assert.Equal(Losses("whole"), Losses("broken"));
    }

    [Fact]
    public void ARunThatEndsAfterAStepContinuesBitIdentically()
    {
        Train("whole", ranks: 2);
        Assert.Equal((StopReason.Asked, 4L), Ended(Train("broken", ranks: 2, new TrainingOptions { StopAfter = 4 })));
        Assert.Equal((StopReason.Asked, 4L), Ended(Train("broken", ranks: 2, new TrainingOptions { StopAfter = 4, Resume = true })));
        Assert.Equal((StopReason.Finished, 6L), Ended(Train("broken", ranks: 2, new TrainingOptions { StopAfter = 6, Resume = true })));
        Assert.Equal(Losses("whole"), Losses("broken"));
    }

    [Theory]
    [InlineData("parallel.zero.stage=0")]
    [InlineData("parallel.zero.stage=3")]
    public void ARunGoesOnOverFewerReplicasAsItWouldHave(string layout)
    {
        Train("whole", ranks: 4, overrides: layout);
        Train("shrunk", ranks: 4, new TrainingOptions { StopAfter = 3 }, overrides: layout);
        Train("shrunk", ranks: 2, new TrainingOptions { Resume = true }, overrides: layout);
        foreach (var (whole, shrunk) in Losses("whole").Zip(Losses("shrunk"))) Assert.Equal(1, shrunk / whole, 1e-5);
        Assert.Equal(6, Losses("shrunk").Count);
    }

    [Fact]
    public void OneRankThatIsAskedToSaveMakesAllSaveAndGoOn()
    {
        var save = new SaveRequest();
        save.Ask();
        Assert.Equal((StopReason.Finished, 6L), Ended(Train("run", ranks: 2, save: save)));
        Assert.Equal(["step-00000001", "step-00000006"], Directory.GetDirectories(Path.Combine(_folder.FullName, "run", "checkpoints"), "step-*").Select(Path.GetFileName).Order());
    }

    [Fact]
    public void OtherDataThanTheCheckpointsIsRefused()
    {
        var stop = new StopRequest();
        stop.Ask();
        Train("run", ranks: 1, stop: stop);
        var error = Assert.Throws<UserErrorException>(() => Train("run", ranks: 1, new TrainingOptions { Resume = true }, overrides: "train.seed=99"));
        Assert.Contains("not that of the checkpoint", error.Message);
    }

    [Fact]
    public void ATraceHasComputeAndCommunicationOfEveryRank()
    {
        string path = Path.Combine(_folder.FullName, "trace.json");
        Train("traced", ranks: 2, new TrainingOptions { TracePath = path });
        using var trace = JsonDocument.Parse(File.ReadAllText(path));
        var events = trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "X").ToList();
        foreach (int rank in (int[])[0, 1])
        {
            foreach (string category in (string[])["compute", "communication"])
                Assert.Contains(events, e => e.GetProperty("pid").GetInt32() == rank && e.GetProperty("cat").GetString() == category);
        }
        Assert.All(events, e => Assert.True(e.GetProperty("dur").GetDouble() >= 0));
        Assert.Contains(events, e => e.GetProperty("name").GetString() == "backward b1 m0");
    }

    private TrainingResult Train(string name, int ranks, TrainingOptions? options = null, StopRequest? stop = null, SaveRequest? save = null, string overrides = "name=unused")
    {
        string yaml = $$"""
            run_directory: {{_folder.FullName}}/{{name}}
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 16, vocabulary: 64 }
            data: { sources: [{ name: corpus, shards: ["{{_folder.FullName}}/corpus"] }] }
            batch: { global: 4, micro: 1 }
            train: { steps: 6, threads: 1 }
            logging: { tensor_board: false, peak_flops: 1e12 }
            """;
        var resolved = ConfigurationLoader.Parse(yaml, [overrides]);
        var job = new TrainingJob(resolved, (options ?? new TrainingOptions()) with { LocalRanks = ranks }, stop ?? new StopRequest()) { Save = save };
        TrainingResult? result = null;
        RankLauncher.Run(ranks, job.Folder.FullPath, rank =>
        {
            var mine = job.Run(rank);
            if (rank.World.Rank == 0) result = mine;
        });
        return result!;
    }

    private static (StopReason, long) Ended(TrainingResult result) => (result.Reason, result.Position.Step);

    private List<double> Losses(string name)
    {
        var losses = new List<double>();
        foreach (string line in File.ReadLines(Path.Combine(_folder.FullName, name, "metrics.jsonl")))
        {
            using var record = JsonDocument.Parse(line);
            if (record.RootElement.TryGetProperty("learning_rate", out _)) losses.Add(record.RootElement.GetProperty("loss").GetDouble());
        }
        return losses;
    }
}
