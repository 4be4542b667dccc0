using System.Diagnostics;
using System.Text.Json;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry;
using Uniscale.Telemetry.Accounting;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Tests.Runs;

/// <summary>Whole runs in which steps go wrong: what the run directory tells, and where the time went.</summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly SmallRuns _runs = new();

    public void Dispose() => _runs.Dispose();

    [Fact]
    public void BadStepsAreCountedInMetricsStatusAndEnd()
    {
        Train("bad_steps.loss_spike=rollback", faults: new Faults { NotFiniteAt = [14], SpikeAt = [18] });
        var status = RunStatus.Read(Run, DateTimeOffset.UtcNow);
        Assert.Equal(new Dictionary<string, long> { ["not-finite"] = 1, ["loss-spike"] = 1 }, status.BadSteps);
        Assert.Equal((RunState.Finished, 24L, 1L, 8L), (status.State, status.Step, status.Rollbacks, status.SkippedSteps));
        Assert.Contains("Step 18 has a loss far above those before", status.LastIncident);
        var steps = Records("step");
        Assert.Equal(
            [14L, 18L],
            steps.Where(step => step.GetProperty("skipped").GetBoolean()).Select(step => step.GetProperty("step").GetInt64())
        );
        Assert.Equal(1, Records("end").Single().GetProperty("bad_steps").GetProperty("loss-spike").GetInt64());
        Assert.Contains(Records("note"), note => note.GetProperty("note").GetString() == "step-rolled-back");
    }

    [Fact]
    public void ARollbackMayCrossTheEndOfAPhaseAndARampOfTheBatch()
    {
        // Steps of 4 sequences until 512 tokens, then of 8; the second phase has steps of 2 sequences of 32: steps 1 to 8, 9 to 12, 13 to
        // 28.
        string[] phases =
        [
            "phases=[{ name: one, tokens: 1024, batch: { ramp: { 0: 4, 512: 8 } } }, { name: two, tokens: 1024, context: 32, batch: { global: 2 } }]",
        ];
        var faults = new Faults { NotFiniteAt = [14], DieAt = 16 };
        string[] settings = ["train.steps=0", "bad_steps.rollback_steps=6", .. phases];
        Assert.Throws<RankFailedException>(() => Train("bad_steps.not_finite=rollback", settings, faults: faults));
        var end = Train("bad_steps.not_finite=rollback", settings, resume: true).Position;
        // From 14 back to the checkpoint of step 5: what followed before and after the ramp and in the new phase counts no more.
        Assert.Equal(new TrainingPosition(28, 2048, 19), end);
        var manifest = CheckpointCatalog.List(Path.Combine(Run, "checkpoints"))[0].Manifest!;
        Assert.Equal([new DiscardedSpan(5, 14, 5 * 64, 1024 + 2 * 64, "not-finite")], DiscardedSpan.Read(manifest.Extra));
        var unbroken = Train(
            "bad_steps.not_finite=rollback",
            [.. settings, $"run_directory={_runs.In("unbroken")}"],
            faults: new Faults { NotFiniteAt = [14] }
        );
        Assert.Equal(end, unbroken.Position);
        Assert.All(
            CheckpointDiff.Compare(_runs.Newest("run"), _runs.Newest("unbroken")),
            tensor => Assert.True(tensor.BitEqual, tensor.Name)
        );
    }

    [Fact]
    public void StoppingIsOneSentenceAndTheRunCanBeContinued()
    {
        var faults = new Faults { NotFiniteAt = [7] };
        string sentence = Assert.Throws<TrainingStoppedException>(() => Train("bad_steps.not_finite=stop", faults: faults)).Message;
        Assert.StartsWith("Step 7 has numbers that are not finite", sentence);
        Assert.Equal(RunState.Stopped, RunStatus.Read(Run, DateTimeOffset.UtcNow).State);
        Assert.Equal(24, Train("bad_steps.not_finite=stop", resume: true, faults: faults).Position.Updates);
        Assert.Equal(Enumerable.Range(1, 24).Select(i => (long)i), Records("step").Select(step => step.GetProperty("step").GetInt64()));
    }

    [Fact]
    public void DamagedWeightsStopTheRunOnAllRanks()
    {
        string sentence = Assert
            .Throws<TrainingStoppedException>(() => Train("train.checksum_every=5", faults: new Faults { DamageAt = 9 }))
            .Message;
        Assert.Contains("after step 10", sentence);
        Assert.Contains("bad_steps.corruption is stop", sentence);
    }

    [Fact]
    public void StepsDoneAgainStandInTheMetricsOnce()
    {
        Train("train.checksum_every=5", ["bad_steps.corruption=rollback"], faults: new Faults { DamageAt = 9 });
        Assert.Equal(Enumerable.Range(1, 24).Select(i => (long)i), Records("step").Select(step => step.GetProperty("step").GetInt64()));
        var status = RunStatus.Read(Run, DateTimeOffset.UtcNow);
        Assert.Equal(1, status.BadSteps["corruption"]);
        Assert.True(status.Account.Redone > 0);
    }

    [Fact]
    public void TheAccountAddsUpToTheWallTimeThroughStopsAndFailures()
    {
        var wall = Stopwatch.StartNew();
        var faults = new Faults
        {
            NotFiniteAt = [14],
            DieAt = 11,
            SlowSeconds = 0.02,
        };
        Assert.Throws<RankFailedException>(() => Train("checkpoint.every=4", faults: faults));
        double died = wall.Elapsed.TotalSeconds;
        Thread.Sleep(300);
        Train("checkpoint.every=4", resume: true, faults: faults, stopAfter: 18);
        Thread.Sleep(200);
        Train("checkpoint.every=4", resume: true, faults: faults);
        var status = RunStatus.Read(Run, DateTimeOffset.UtcNow);
        var account = status.Account;
        // By the clock times of the first start and of the last record; each part of the account is measured on its own.
        Assert.InRange(account.Total, status.Wall.TotalSeconds * 0.96, status.Wall.TotalSeconds * 1.01);
        Assert.InRange(status.Wall.TotalSeconds, 1, wall.Elapsed.TotalSeconds);
        var steps = Records("step").Where(step => !step.GetProperty("skipped").GetBoolean()).ToList();
        Assert.Equal(steps.Sum(step => step.GetProperty("seconds").GetDouble()), account.Effective, 1e-6);
        // Steps 9 and 10 were done again after the one at 8 was loaded; the eleventh died.
        Assert.InRange(account.Redone, 0.04, died);
        Assert.InRange(account.Discarded, 0.02, died);
        Assert.InRange(account.Restarting, 0.3, wall.Elapsed.TotalSeconds);
        Assert.InRange(account.Standing, 0.2, 1);
        Assert.True(account is { Saving: > 0, Starting: > 0 } && account.Waiting <= account.Effective);
    }

    [Fact]
    public void ANewRunInAnOldPlaceBeginsItsOwnAccount()
    {
        string metrics = _runs.In("metrics.jsonl");
        File.WriteAllText(metrics, """{"kind":"step","time":"2026-01-01T00:00:00Z","step":1,"seconds":1,"parts":{},"skipped":false}""");
        Assert.True(TimeKeeper.Open(metrics, 0, DateTimeOffset.UtcNow).IsFirst);
    }

    private string Run => _runs.In("run");

    private List<JsonElement> Records(string kind) => _runs.Records("run", kind);

    private TrainingResult Train(string setting, string[]? more = null, bool resume = false, Faults? faults = null, long stopAfter = 0)
    {
        var resolved = _runs.Configure(
            "run",
            [
                "train.steps=24",
                "checkpoint.every=5",
                "checkpoint.keep=3",
                "bad_steps.window=32",
                "bad_steps.rollback_steps=5",
                "parallel.zero.stage=0",
                setting,
                .. more ?? [],
            ]
        );
        var stop = new StopRequest();
        var job = new TrainingJob(resolved, new TrainingOptions { Resume = resume, LocalRanks = 2 }, stop)
        {
            Faults = rank => rank.World.Rank == 1 ? faults : null,
            MoreCallbacks = (_, _) => [new StopAfter(stop, stopAfter)],
        };
        return SmallRuns.Train(job, 2);
    }

    private sealed class StopAfter(StopRequest stop, long step) : ITrainingCallback
    {
        public void StepDone(RankRuntime runtime, StepOutcome outcome)
        {
            if (outcome.Position.Step == step)
                stop.Ask();
        }
    }

    /// <summary>Each fault happens once.</summary>
    private sealed class Faults : IFaultInjector
    {
        public HashSet<long> NotFiniteAt { get; init; } = [];

        public HashSet<long> SpikeAt { get; init; } = [];

        public long DamageAt { get; set; }

        public long DieAt { get; set; }

        public double SlowSeconds { get; init; }

        public double OnLoss(long step, double loss)
        {
            Thread.Sleep(TimeSpan.FromSeconds(SlowSeconds));
            return NotFiniteAt.Remove(step) ? double.NaN
                : SpikeAt.Remove(step) ? loss + 50
                : loss;
        }

        public void OnWeights(long step, RankState model)
        {
            if (step == DieAt)
            {
                DieAt = 0;
                throw new InvalidOperationException("This rank fails on purpose.");
            }
            if (step != DamageAt)
                return;
            DamageAt = 0;
            model.Blocks[1].Bucket.WholeFlat.narrow(0, 5, 1).add_(Scalars.Of(1e-3));
        }
    }
}
