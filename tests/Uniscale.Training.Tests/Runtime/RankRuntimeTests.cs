using TorchSharp;
using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Execution;
using Uniscale.Experiments.Verification;
using Uniscale.Torch;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

public sealed class RankRuntimeTests
{
    [Theory]
    [InlineData(PrecisionKind.Fp32)]
    [InlineData(PrecisionKind.Bf16)]
    public void OneRankLearns(PrecisionKind precision)
    {
        var run = TestRuns.Tiny with { Train = TestRuns.Tiny.Train with { Steps = 40, Precision = precision } };
        double[] losses = TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                return Enumerable.Range(0, 40).Select(_ => runtime.Step().Decision.Loss).ToArray();
            }
        )[0];
        Assert.InRange(losses[0], Math.Log(97) - 0.2, Math.Log(97) + 0.2);
        Assert.True(losses[^1] < losses[0] - 0.5, $"The loss went from {losses[0]} to {losses[^1]} only.");
    }

    [Fact]
    public void AStepLeavesNoTensorsBehind() =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(TestRuns.Tiny, world);
                runtime.Step();
                long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
                for (int i = 0; i < 3; i++)
                    runtime.Step();
                Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
                return 0;
            }
        );

    [Fact]
    public void DisposingWaitsForGatheringsThatStillTouchTheMemory()
    {
        var run = TestRuns.Tiny with { Parallel = LayoutSpec.Parse("dp2 zero1").Parallel };
        using var latePosts = new ManualResetEventSlim();
        bool[] posted = TestRuns.OnRanks(
            2,
            world =>
            {
                using (var runtime = TestRuns.Runtime(run, world))
                {
                    // Rank 1 comes late to the gathering of updated parameters, which the step posts and leaves running.
                    if (world.Rank == 1)
                    {
                        runtime.GradientsReady = _ =>
                        {
                            Thread.Sleep(200);
                            latePosts.Set();
                        };
                    }
                    runtime.Step();
                }
                return latePosts.IsSet;
            }
        );
        Assert.All(posted, Assert.True);
    }

    [Theory]
    [InlineData("dp2")]
    [InlineData("dp4 zero3 group2")]
    [InlineData("tp2 sp pp2 zero0")]
    public void ResumingOnTheSameLayoutIsBitIdentical(string layout)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = TestRuns.Tiny with { Parallel = spec.Parallel };
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            double[] unbroken = Losses(run, spec.Ranks, folder.FullName, steps: 8, saveAt: 4, resume: false);
            double[] resumed = Losses(run, spec.Ranks, folder.FullName, steps: 4, saveAt: -1, resume: true);
            Assert.Equal(unbroken[4..], resumed);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void ACheckpointOfOneLayoutContinuesOnAnother()
    {
        var from = LayoutSpec.Parse("tp2 pp2 dp2 zero2");
        var to = LayoutSpec.Parse("cp2 dp2 zero3");
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            double[] unbroken = Losses(
                TestRuns.Tiny with
                {
                    Parallel = from.Parallel,
                },
                from.Ranks,
                folder.FullName,
                steps: 8,
                saveAt: 4,
                resume: false
            );
            double[] resumed = Losses(
                TestRuns.Tiny with
                {
                    Parallel = to.Parallel,
                },
                to.Ranks,
                folder.FullName,
                steps: 4,
                saveAt: -1,
                resume: true
            );
            for (int i = 0; i < resumed.Length; i++)
                Assert.Equal(1, resumed[i] / unbroken[4 + i], 1e-5);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("dp4 zero1", PrecisionKind.Fp32)]
    [InlineData("dp4 zero2", PrecisionKind.Fp32)]
    [InlineData("dp4 zero3", PrecisionKind.Fp32)]
    [InlineData("dp4 zero3 group2", PrecisionKind.Bf16)]
    public void MemoryIsThatOfTheFormula(string layout, PrecisionKind precision)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = TestRuns.Tiny with { Parallel = spec.Parallel, Train = TestRuns.Tiny.Train with { Precision = precision } };
        var (memory, count, group) = TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                runtime.Step();
                long parameters = runtime.AllParameters.Sum(p => p.Shape.Aggregate(1L, (a, b) => a * b));
                return (runtime.Model.Memory, parameters, runtime.Specification.ZeroGroup);
            }
        )[0];
        var formula = MemoryAccount.Formula(count, precision == PrecisionKind.Fp32 ? 4 : 2, spec.Parallel.Zero.Stage, group);
        Assert.InRange((double)memory.ParameterBytes / formula.ParameterBytes, 1, 1.05);
        Assert.InRange((double)memory.GradientBytes / formula.GradientBytes, 1, 1.05);
        Assert.InRange((double)memory.OptimizerBytes / formula.OptimizerBytes, 1, 1.05);
    }

    [Fact]
    public void AReplicaThatDriftsIsNamedByTheChecksum()
    {
        var run = TestRuns.Tiny with
        {
            Parallel = new() { Data = 3 },
            Batch = TestRuns.Tiny.Batch with { Global = 6 },
            Train = TestRuns.Tiny.Train with { ChecksumEvery = 2 },
        };
        var error = Assert.Throws<ReplicaMismatchException>(() =>
            TestRuns.OnRanks(
                3,
                world =>
                {
                    using var runtime = TestRuns.Runtime(run, world);
                    runtime.Step();
                    if (world.Rank == 1)
                        runtime.Model.Blocks[2].Bucket.WholeFlat.narrow(0, 5, 1).add_(Scalars.Of(1e-3));
                    runtime.Step();
                    return 0;
                }
            )
        );
        Assert.Contains("on rank 1 differ", error.Message);
        Assert.Contains("layers.1", error.Message);
    }

    [Fact]
    public void OneRankThatIsAskedToStopStopsAll()
    {
        var run = TestRuns.Tiny with { Parallel = new() { Data = 2 } };
        var results = TestRuns.OnRanks(
            2,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                var stop = new StopRequest();
                if (world.Rank == 1)
                    stop.Ask();
                return new Trainer(runtime, [], stop).Run();
            }
        );
        Assert.All(results, result => Assert.Equal((StopReason.Asked, 1L), (result.Reason, result.Position.Step)));
    }

    [Fact]
    public void ANumberThatIsNotFiniteChangesNothingOnAnyRank()
    {
        var run = TestRuns.Tiny with
        {
            Parallel = new() { Data = 2 },
            Optimizer = new() { Lr = 1e-3 },
        };
        var (before, after, decision) = TestRuns.OnRanks(
            2,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                var bucket = runtime.Model.Blocks[1].Bucket;
                float first = bucket.Master.data<float>()[0];
                if (world.Rank == 1)
                    runtime.Model.Blocks[2].Bucket.Master.fill_(Scalars.Of(float.NaN));
                var outcome = runtime.Step();
                return (first, bucket.Master.data<float>()[0], outcome.Decision);
            }
        )[0];
        Assert.False(decision.Applied);
        Assert.Equal(before, after);
    }

    private static double[] Losses(RunConfiguration run, int ranks, string folder, int steps, int saveAt, bool resume) =>
        TestRuns.OnRanks(
            ranks,
            world =>
            {
                using var store = new CheckpointStore(folder, world);
                using var runtime = TestRuns.Runtime(run, world);
                if (resume)
                    Assert.NotNull(runtime.Resume(store));
                var saver = new CheckpointCallback(store, every: saveAt, behind: true, ("", ""));
                var losses = new List<double>();
                for (int i = 0; i < steps; i++)
                {
                    var outcome = runtime.Step();
                    losses.Add(outcome.Decision.Loss);
                    if (saveAt > 0 && outcome.Position.Step == saveAt)
                        saver.StepDone(runtime, outcome);
                }
                store.Drain();
                return losses.ToArray();
            }
        )[0];
}
