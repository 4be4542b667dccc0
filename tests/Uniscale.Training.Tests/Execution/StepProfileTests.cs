using Uniscale.Engine.Execution;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Execution;

public sealed class StepProfileTests
{
    private const int Head = 3;

    [Fact]
    public void KernelsCountForThePartOfTheirInstructionAndTheRestIsOutside()
    {
        // One step of 100: forward of block 1 from 10 to 50, in which a kernel of 20 holds an operation whose own time of 5 is not a
        // kernel; head; update; wait.
        TimelineEvent[] events =
        [
            new(TimelineRow.Step, "step 1", 0, 100),
            new(TimelineRow.Compute, "forward b1 m0", 10, 40),
            new(TimelineRow.Kernel, "Linear", 15, 20),
            new(TimelineRow.Kernel, "operation::NormOperation forward", 16, 5),
            new(TimelineRow.Kernel, "Swiglu", 40, 6),
            new(TimelineRow.Compute, "forward b3 m0", 50, 10),
            new(TimelineRow.Kernel, "Logits", 51, 4),
            new(TimelineRow.Wait, "wait", 56, 3),
            new(TimelineRow.Compute, "load m0", 0, 8),
            new(TimelineRow.Compute, "update b1", 60, 10),
            new(TimelineRow.Kernel, "AdamW", 60, 9),
            new(TimelineRow.Kernel, "Linear", 200, 50),
        ];
        var profile = StepProfile.Of(events, Head);
        var parts = profile.Parts.ToDictionary(part => part.Name, part => Math.Round(part.Seconds * 1e6, 6));
        Assert.Equal(1, profile.Steps);
        Assert.Equal(15 + 6, parts[StepProfile.ForwardBlocks]);
        Assert.Equal(4, parts[StepProfile.Head]);
        Assert.Equal(9, parts[StepProfile.Optimizer]);
        Assert.Equal(8, parts[StepProfile.Data]);
        Assert.Equal(3, parts[StepProfile.Communication]);
        Assert.Equal(100 - 21 - 4 - 9 - 8 - 3, parts[StepProfile.Outside]);
        Assert.Equal(100, Math.Round(profile.Parts.Sum(part => part.Seconds) * 1e6, 6));
        Assert.Equal(("Linear", 1.0), (profile.Kernels[0].Name, profile.Kernels[0].Calls));
        Assert.Throws<InvalidOperationException>(() => StepProfile.Of([], Head));
    }

    [Fact]
    public void ARecordedStepKnowsItsKernelsOfBothPassesAndOfTheOptimizer()
    {
        var profile = TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(TestRuns.Tiny, world, Recording.Kernels);
                runtime.Step();
                Assert.Empty(runtime.Timeline!.Events);
                runtime.Timeline.IsRecording = true;
                runtime.Step();
                runtime.Step();
                runtime.Timeline.IsRecording = false;
                return StepProfile.Of(runtime.Timeline.Events, runtime.Specification.Model.Head);
            }
        )[0];
        Assert.Equal(2, profile.Steps);
        var names = profile.Kernels.Select(kernel => kernel.Name).ToHashSet();
        Assert.Superset(new HashSet<string> { "Linear", "AttentionBackward", "AdamW", "SumOfSquares" }, names);
        // 4 layers, 8 microbatches.
        Assert.Equal(32, profile.Kernels.Single(kernel => kernel.Name == "AttentionBackward").Calls);
        Assert.Equal(profile.StepSeconds, profile.Parts.Sum(part => part.Seconds), 1e-9);
        Assert.All(profile.Parts.Where(part => part.Name != StepProfile.Communication), part => Assert.True(part.Seconds > 0, part.Name));
    }

    [Fact]
    public void RecordingChangesNoResult()
    {
        double Loss(Recording recording) =>
            TestRuns.OnRanks(
                1,
                world =>
                {
                    using var runtime = TestRuns.Runtime(TestRuns.Tiny, world, recording);
                    runtime.Step();
                    return runtime.Step().Decision.Loss;
                }
            )[0];
        Assert.Equal(Loss(Recording.None), Loss(Recording.Kernels));
    }
}
