using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Experiments.Verification;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Recovery;

/// <summary>Bad steps on one and on two ranks, by injection.</summary>
public sealed class BadStepTests : IDisposable
{
    private const long TokensOfAStep = 8 * 32;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("dp1", StepVerdict.NotFinite)]
    [InlineData("dp2", StepVerdict.NotFinite)]
    [InlineData("dp2 zero3", StepVerdict.LossSpike)]
    [InlineData("pp2", StepVerdict.LossSpike)]
    [InlineData("tp2", StepVerdict.GradientSpike)]
    [InlineData("dp2", StepVerdict.GradientSpike)]
    public void AStepIsLeftOutOnAllRanks(string layout, StepVerdict kind)
    {
        var ranks = GuardedRun.Of(Run(), layout, Folder("a"), Bad(kind, 14));
        Assert.All(
            ranks,
            rank =>
            {
                var incident = Assert.Single(rank.Incidents);
                Assert.Equal((kind, BadStepAction.Skip, 14), (incident.Verdict, incident.Action, incident.Step));
                Assert.Equal([14L], rank.Steps.Where(step => !step.Decision.Applied).Select(step => step.Position.Step));
                Assert.Equal(new TrainingPosition(20, 20 * TokensOfAStep, 19), rank.End.Position);
                Assert.Equal([new DiscardedSpan(13, 14, 13 * TokensOfAStep, 14 * TokensOfAStep, kind.Word())], rank.Record.Discarded);
                Assert.Equal(1, rank.Record.Counts[kind]);
            }
        );
        Assert.All(ranks, rank => Assert.Equal(ranks[0].Steps.Select(step => step.Decision), rank.Steps.Select(step => step.Decision)));
    }

    [Theory]
    [InlineData("dp1", StepVerdict.NotFinite)]
    [InlineData("dp2", StepVerdict.LossSpike)]
    [InlineData("tp2", StepVerdict.GradientSpike)]
    [InlineData("pp2", StepVerdict.NotFinite)]
    [InlineData("dp2 zero3", StepVerdict.GradientSpike)]
    public void ARollbackTakesTheOldWeightsAndTheDataAfter(string layout, StepVerdict kind)
    {
        var run = Run(BadStepAction.Rollback, steps: 4);
        var rolled = GuardedRun.Of(run, layout, Folder("rolled"), Bad(kind, 14));
        Assert.All(
            rolled,
            rank =>
            {
                var incident = Assert.Single(rank.Incidents);
                Assert.Equal((kind, BadStepAction.Rollback, 14, 10L), (incident.Verdict, incident.Action, incident.Step, incident.BackTo));
                Assert.Equal(new TrainingPosition(20, 20 * TokensOfAStep, 16), rank.End.Position);
                Assert.Equal([new DiscardedSpan(10, 14, 10 * TokensOfAStep, 14 * TokensOfAStep, kind.Word())], rank.Record.Discarded);
            }
        );
        // By hand: ten steps, then the weights as they are with the data from the fifteenth on.
        double[][] byHand = ByHand(run, layout);
        Assert.All(rolled.Zip(byHand), pair => Assert.Equal(pair.Second, pair.First.Steps.Skip(14).Select(step => step.Decision.Loss)));
    }

    [Theory]
    [InlineData(BadStepAction.Skip, "dp2")]
    [InlineData(BadStepAction.Rollback, "dp1")]
    [InlineData(BadStepAction.Rollback, "dp2 zero3")]
    public void ResumingAfterwardsIsBitIdentical(BadStepAction action, string layout)
    {
        var run = Run(action, steps: 4);
        var damage = Bad(StepVerdict.NotFinite, 13);
        var unbroken = GuardedRun.Of(run, layout, Folder("unbroken"), damage);
        foreach (long stopAfter in (long[])[13, 14, 17])
        {
            string folder = Folder($"broken{stopAfter}");
            var first = GuardedRun.Of(run, layout, folder, damage, stopAfter: stopAfter);
            Assert.Equal(StopReason.Asked, first[0].End.Reason);
            // The fault came once: nothing injects it again.
            var resumed = GuardedRun.Of(run, layout, folder, resume: true);
            Assert.All(
                resumed.Zip(unbroken),
                pair =>
                {
                    Assert.Equal(pair.Second.End.Position, pair.First.End.Position);
                    Assert.Equal(pair.Second.Record.Discarded, pair.First.Record.Discarded);
                    Assert.Equal(pair.Second.Record.Counts, pair.First.Record.Counts);
                    Assert.Equal(pair.Second.State, pair.First.State);
                }
            );
        }
    }

    [Theory]
    [InlineData("dp1")]
    [InlineData("dp2")]
    public void StoppingSavesTheStateBeforeAndLosesNothing(string layout)
    {
        var whole = GuardedRun.Of(Run(), layout, Folder("whole"));
        var run = Run(BadStepAction.Stop);
        string folder = Folder("stopped");
        var stopped = GuardedRun.Of(run, layout, folder, Bad(StepVerdict.GradientSpike, 14));
        Assert.All(
            stopped,
            rank =>
            {
                Assert.Equal((StopReason.BadStep, 13L), (rank.End.Reason, rank.End.Position.Step));
                Assert.Contains("bad_steps.gradient_spike is stop", Assert.Single(rank.Incidents).Sentence);
            }
        );
        var resumed = GuardedRun.Of(run, layout, folder, resume: true);
        Assert.All(resumed.Zip(whole), pair => Assert.Equal(pair.Second.State, pair.First.State));
    }

    [Fact]
    public void TooManyInARowStopTheRun()
    {
        var run = Run() with
        {
            BadSteps = new() { Window = 32, MaxConsecutive = 3 },
        };
        var ranks = GuardedRun.Of(
            run,
            "dp2",
            Folder("row"),
            rank => new() { Loss = (step, loss) => step is 5 or 6 or >= 8 && rank == 1 ? double.NaN : loss }
        );
        Assert.All(
            ranks,
            rank =>
            {
                Assert.Equal((StopReason.BadStep, 9L), (rank.End.Reason, rank.End.Position.Step));
                Assert.Contains("3 bad steps in a row", rank.Incidents[^1].Sentence);
            }
        );
    }

    [Fact]
    public void RollbacksOneAfterAnotherStopTheRun()
    {
        var run = Run(BadStepAction.Rollback, steps: 2);
        run = run with { BadSteps = run.BadSteps with { MaxConsecutive = 2 } };
        var ranks = GuardedRun.Of(
            run,
            "dp1",
            Folder("rollbacks"),
            _ => new() { Loss = (step, loss) => step is 13 or 15 ? double.NaN : loss }
        );
        Assert.Equal((StopReason.BadStep, 14L), (ranks[0].End.Reason, ranks[0].End.Position.Step));
    }

    [Fact]
    public void ASecondRollbackPassesOverWhatTheFirstTookBack()
    {
        // The first goes from 13 to 10; the second from 15 finds no state of 11 to 12 any more and goes to 10 again.
        var run = Run(BadStepAction.Rollback, steps: 3);
        var ranks = GuardedRun.Of(run, "dp1", Folder("second"), _ => new() { Loss = (step, loss) => step is 13 or 15 ? double.NaN : loss });
        Assert.Equal([10L, 10L], ranks[0].Incidents.Select(incident => incident.BackTo));
        Assert.Equal([new DiscardedSpan(10, 15, 10 * TokensOfAStep, 15 * TokensOfAStep, "not-finite")], ranks[0].Record.Discarded);
        Assert.Equal(15, ranks[0].End.Position.Updates);
    }

    [Fact]
    public void AWarningAppliesTheStep()
    {
        var ranks = GuardedRun.Of(Run(BadStepAction.Warn), "dp1", Folder("warn"), Bad(StepVerdict.LossSpike, 14));
        Assert.Equal(BadStepAction.Warn, Assert.Single(ranks[0].Incidents).Action);
        Assert.Equal(20, ranks[0].End.Position.Updates);
        Assert.Empty(ranks[0].Record.Discarded);
    }

    [Fact]
    public void AQuietRunHasNoBadSteps()
    {
        var run = Run() with { Train = Run().Train with { Steps = Nightly.Is ? 300 : 200 }, BadSteps = new() };
        var ranks = GuardedRun.Of(run, "dp1", Folder("quiet"));
        Assert.Empty(ranks[0].Incidents);
    }

    private string Folder(string name) => Path.Combine(_folder.FullName, name);

    private static RunConfiguration Run(BadStepAction action = BadStepAction.Skip, int steps = 4) =>
        TestRuns.Tiny with
        {
            Checkpoint = new() { Every = 2, Keep = 2 },
            BadSteps = new()
            {
                NotFinite = action == BadStepAction.Warn ? BadStepAction.Skip : action,
                LossSpike = action,
                GradientSpike = action,
                Window = 32,
                RollbackSteps = steps,
            },
        };

    /// <summary>A bad step on rank 0 alone.</summary>
    private static Func<int, Damage> Bad(StepVerdict kind, long at) =>
        rank =>
            kind switch
            {
                _ when rank != 0 => new(),
                StepVerdict.NotFinite => new() { Gradient = (step, model) => Scale(step == at, model, float.NaN) },
                StepVerdict.GradientSpike => new() { Gradient = (step, model) => Scale(step == at, model, 1e4f) },
                _ => new() { Loss = (step, loss) => step == at ? loss + 50 : loss },
            };

    private static void Scale(bool now, RankState model, float factor)
    {
        if (!now)
            return;
        foreach (var block in model.Blocks.Values)
            block.Bucket.GradientShard.mul_(Scalars.Of(factor));
    }

    /// <summary>Losses after a rollback from step 14 to step 10, out of a checkpoint that says so.</summary>
    private double[][] ByHand(RunConfiguration run, string layout)
    {
        var spec = LayoutSpec.Parse(layout);
        run = run with { Parallel = spec.Parallel };
        return TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var store = new CheckpointStore(Folder("by-hand"), world);
                using (var early = TestRuns.Runtime(run, world))
                {
                    for (int i = 0; i < 10; i++)
                        early.Step();
                    store.Save(
                        new CheckpointState
                        {
                            Step = 14,
                            ConsumedTokens = 14 * TokensOfAStep,
                            DataFingerprint = early.Data.Fingerprint,
                            Extra = early.Position.ToExtra(),
                            Slices = early.StateToSave(),
                            Tensors = early.TensorsToSave,
                        }
                    );
                }
                using var runtime = TestRuns.Runtime(run, world);
                Assert.NotNull(runtime.Resume(store));
                return Enumerable.Range(0, 6).Select(_ => runtime.Step().Decision.Loss).ToArray();
            }
        );
    }
}
