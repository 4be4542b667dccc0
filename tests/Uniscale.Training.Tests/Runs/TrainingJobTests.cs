using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Programs.Memory;
using Uniscale.Telemetry;
using Uniscale.Telemetry.Tests.TensorBoard;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Tests.Runs;

/// <summary>Whole runs on a small corpus, ranks as threads.</summary>
public sealed class TrainingJobTests : IDisposable
{
    private readonly SmallRuns _runs = new();

    public void Dispose() => _runs.Dispose();

    [Fact]
    public void ARunLeavesItsConfigurationItsMetricsAndACheckpoint()
    {
        var result = Train("run", ranks: 2);
        Assert.Equal((StopReason.Finished, 6L), (result.Reason, result.Position.Step));
        Assert.True(File.Exists(Path.Combine(_runs.In("run"), RunFolder.ConfigurationFile)));
        Assert.Equal(6, Losses("run").Count);
        Assert.Contains(Directory.GetDirectories(_runs.In("run/checkpoints")), path => path.EndsWith('6'));
    }

    [Fact]
    public void TheSameGlobalBatchGivesTheSameCurveOnOneRankAndOnTwo()
    {
        Train("one", ranks: 1);
        Train("two", ranks: 2);
        foreach (var (one, two) in Losses("one").Zip(Losses("two")))
            Assert.Equal(1, two / one, 1e-5);
    }

    /// <summary>Whatever the layout, a histogram counts each element of a block once; what ranks hold alike is not counted twice.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2, "parallel.zero.stage=0")]
    [InlineData(2, "parallel.zero.stage=3")]
    [InlineData(2, "parallel.tensor=2")]
    [InlineData(4, "parallel.pipeline=2")]
    public void HistogramsAreOfTheModelWhateverTheLayout(int ranks, string layout = "train.seed=1")
    {
        var reports = new List<HistogramReport>();
        var resolved = _runs.Configure("run", layout, "model.layers=2", "model.tied_embeddings=true");
        var job = new TrainingJob(resolved, new TrainingOptions { StopAfter = 2, LocalRanks = ranks }, new StopRequest())
        {
            MoreCallbacks = (_, telemetry) => [new HistogramCallback(new RunTelemetry(telemetry.Log, new Histograms(reports)), every: 2)],
        };
        SmallRuns.Train(job, ranks);
        var model = resolved.Value.Model;
        Assert.Equal(
            ["block-001", "block-002", "embedding", "head"],
            reports.Select(report => report.Name.Split('/')[1]).Distinct().Order()
        );
        Assert.All(reports, report => Assert.Equal((2, 0), (report.Step, report.Values.NotFiniteCount)));
        foreach (string kind in (string[])["weights", "gradients"])
            Assert.Equal(
                ParameterCount.OfModel(model, 64),
                reports.Where(report => report.Name.StartsWith(kind, StringComparison.Ordinal)).Sum(report => report.Values.Count)
            );
        double norm = Math.Sqrt(
            reports.Where(report => report.Name.StartsWith("gradients", StringComparison.Ordinal)).Sum(report => report.Values.SumOfSquares)
        );
        Assert.Equal(1, _runs.Records("run", "step")[1].GetProperty("gradient_norm").GetDouble() / norm, 1e-5);
    }

    [Fact]
    public void HistogramsThatAreAskedForStandInTheEventFile()
    {
        var resolved = _runs.Configure("run", "logging.tensor_board=true", "logging.histograms=2");
        SmallRuns.Train(new TrainingJob(resolved, new TrainingOptions { StopAfter = 4, LocalRanks = 1 }, new StopRequest()), 1);
        var told = EventReader.Read(Assert.Single(Directory.GetFiles(_runs.In("run/tensorboard")))).Where(read => read.Histograms.Count > 0);
        Assert.Equal([2, 4], told.Select(read => read.Step).Distinct());
        var tags = told.SelectMany(read => read.Histograms).Select(histogram => histogram.Tag).ToHashSet();
        foreach (string tag in (string[])["weights/embedding", "weights/block-001", "weights/head", "gradients/block-001"])
            Assert.Contains(tag, tags);
    }

    private sealed class Histograms(List<HistogramReport> reports) : ITelemetrySink
    {
        public void Start(RunStart start) { }

        public void Step(StepReport report) { }

        public void Validation(ValidationReport report) { }

        public void Note(Note note) { }

        public void Histogram(HistogramReport report) => reports.Add(report);

        public void End(RunEnd end) { }

        public void Dispose() { }
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
        foreach (var (whole, shrunk) in Losses("whole").Zip(Losses("shrunk")))
            Assert.Equal(1, shrunk / whole, 1e-5);
        Assert.Equal(6, Losses("shrunk").Count);
    }

    [Fact]
    public void OneRankThatIsAskedToSaveMakesAllSaveAndGoOn()
    {
        var save = new SaveRequest();
        save.Ask();
        Assert.Equal((StopReason.Finished, 6L), Ended(Train("run", ranks: 2, save: save)));
        Assert.Equal(
            ["step-00000001", "step-00000006"],
            Directory.GetDirectories(_runs.In("run/checkpoints"), "step-*").Select(Path.GetFileName).Order()
        );
    }

    [Fact]
    public void WithoutRoomForACheckpointARunIsNotBegunButGoesOn()
    {
        string checkpoints = _runs.In("run/checkpoints");
        Directory.CreateDirectory(_runs.In("run"));
        File.WriteAllText(checkpoints, "in the way");
        string sentence = Assert.Throws<UserErrorException>(() => Train("run", ranks: 2)).Message;
        Assert.StartsWith("Not one checkpoint of this run could be saved", sentence);
        Assert.Contains("set checkpoint.directory", sentence);
        Assert.False(File.Exists(_runs.In("run/metrics.jsonl")));

        var job = new TrainingJob(_runs.Configure("run"), new TrainingOptions { Resume = true, LocalRanks = 2 }, new StopRequest())
        {
            MoreCallbacks = (_, _) => [new AfterStep(3, () => File.Delete(checkpoints))],
        };
        Assert.Equal((StopReason.Finished, 6L), Ended(SmallRuns.Train(job, 2)));
        Assert.Equal("checkpoint-no-room", _runs.Records("run", "note")[0].GetProperty("note").GetString());
        Assert.Equal(6, _runs.Newest("run").Manifest.Step);
    }

    [Fact]
    public void OtherDataThanTheCheckpointsIsRefused()
    {
        var stop = new StopRequest();
        stop.Ask();
        Train("run", ranks: 1, stop: stop);
        var error = Assert.Throws<UserErrorException>(() =>
            Train("run", ranks: 1, new TrainingOptions { Resume = true }, overrides: "train.seed=99")
        );
        Assert.Contains("train.seed: 1234 -> 99 (--set)", error.Message);
    }

    /// <summary>FLOP/s count attention over the context that a phase has, not the model's.</summary>
    [Fact]
    public void SpeedInAPhaseIsThatOfItsContext()
    {
        var resolved = _runs.Configure(
            "phased",
            "train={steps: 0, threads: 1}",
            "phases=[{name: short, tokens: 128}, {name: long, tokens: 512, context: 64, batch: {global: 2}}]"
        );
        SmallRuns.Train(new TrainingJob(resolved, new TrainingOptions(), new StopRequest()), 1);
        double FlopsPerToken(string phase)
        {
            var step = _runs.Records("phased", "step").First(record => record.GetProperty("phase").GetString() == phase);
            return step.GetProperty("model_flops").GetDouble() / step.GetProperty("tokens_per_second").GetDouble();
        }
        // 12 · layers · heads · head_dim · (64 − 16)
        Assert.Equal(12.0 * 1 * 2 * 8 * 48, FlopsPerToken("long") - FlopsPerToken("short"), 0.5);
    }

    /// <summary>A secret of the environment stands in no file of the run, which says with its reference what it was.</summary>
    [Fact]
    public void NoFileOfARunHoldsASecret()
    {
        Environment.SetEnvironmentVariable("UNISCALE_TEST_SIGNING_KEY", "open-sesame-4711");
        var resolved = ConfigurationLoader.Parse(
            _runs
                .Configure("secret", "checkpoint.every=3")
                .ToYaml()
                .Replace("tiers: []", "tiers: [\"/nowhere/${UNISCALE_TEST_SIGNING_KEY}\"]", StringComparison.Ordinal)
                .Replace("name: run\n", "name: a-${UNISCALE_TEST_SIGNING_KEY}\n", StringComparison.Ordinal)
        );
        Assert.Equal("/nowhere/open-sesame-4711", resolved.Value.Checkpoint.Tiers[0]);
        SmallRuns.Train(new TrainingJob(resolved, new TrainingOptions(), new StopRequest()), 1);
        foreach (string file in Directory.EnumerateFiles(_runs.In("secret"), "*", SearchOption.AllDirectories))
            Assert.False(File.ReadAllText(file).Contains("open-sesame", StringComparison.Ordinal), file);
        Assert.Contains("${UNISCALE_TEST_SIGNING_KEY}", File.ReadAllText(_runs.In("secret/config.yaml")), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_runs.In("secret/config.yaml")));
    }

    [Fact]
    public void ATraceHasComputeAndCommunicationOfEveryRank()
    {
        string path = _runs.In("trace.json");
        Train("traced", ranks: 2, new TrainingOptions { TracePath = path });
        using var trace = JsonDocument.Parse(File.ReadAllText(path));
        var events = trace
            .RootElement.GetProperty("traceEvents")
            .EnumerateArray()
            .Where(e => e.GetProperty("ph").GetString() == "X")
            .ToList();
        foreach (int rank in (int[])[0, 1])
        {
            foreach (string category in (string[])["compute", "communication"])
                Assert.Contains(events, e => e.GetProperty("pid").GetInt32() == rank && e.GetProperty("cat").GetString() == category);
        }
        Assert.All(events, e => Assert.True(e.GetProperty("dur").GetDouble() >= 0));
        Assert.Contains(events, e => e.GetProperty("name").GetString() == "backward b1 m0");
    }

    private TrainingResult Train(
        string name,
        int ranks,
        TrainingOptions? options = null,
        StopRequest? stop = null,
        SaveRequest? save = null,
        string overrides = "name=unused"
    )
    {
        var job = new TrainingJob(
            _runs.Configure(name, overrides),
            (options ?? new TrainingOptions()) with
            {
                LocalRanks = ranks,
            },
            stop ?? new StopRequest()
        )
        {
            Save = save,
        };
        return SmallRuns.Train(job, ranks);
    }

    private sealed class AfterStep(long step, Action action) : ITrainingCallback
    {
        public void StepDone(RankRuntime runtime, StepOutcome outcome)
        {
            if (outcome.Position.Step == step && runtime.World.Rank == 0)
                action();
        }
    }

    private static (StopReason, long) Ended(TrainingResult result) => (result.Reason, result.Position.Step);

    private List<double> Losses(string name) => [.. _runs.Records(name, "step").Select(record => record.GetProperty("loss").GetDouble())];
}
