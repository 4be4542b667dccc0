using Uniscale.Configuration;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tests.Timing;

public class PipelineTimelineTests
{
    private static readonly PassTimes Equal = new(1, 1, 1);

    public static TheoryData<string, int, int, int> Pipelines =>
        new()
        {
            { "gpipe", 4, 1, 8 },
            { "1f1b", 4, 1, 8 },
            { "1f1b", 2, 1, 3 },
            { "interleaved-1f1b", 4, 2, 8 },
            { "interleaved-1f1b", 2, 3, 4 },
            { "zero-bubble", 4, 1, 8 },
            { "zero-bubble", 4, 1, 16 },
        };

    [Theory]
    [MemberData(nameof(Pipelines))]
    public void BubbleIsThatOfTheFormula(string schedule, int stages, int chunks, int microbatches)
    {
        double formula = ScheduleRegistry.Find(schedule).BubbleOf(new PipelineShape(stages, chunks, microbatches), Equal);
        Assert.Equal(formula, Simulate(schedule, stages, chunks, microbatches).BubbleRatio, 9);
    }

    public static TheoryData<string> ScheduleNames => new(ScheduleRegistry.Names);

    /// <summary>
    /// Also where the stages do not divide the microbatches. With fewer microbatches than stages interleaving cannot fill its groups.
    /// </summary>
    [Theory]
    [MemberData(nameof(ScheduleNames))]
    public void PipelinesOfAnySizeAreRightAndHaveTheBubbleOfTheFormula(string name)
    {
        var schedule = ScheduleRegistry.Find(name);
        foreach (int stages in new[] { 1, 2, 3, 5, 8 })
            for (int chunks = 1; chunks <= (schedule.Interleaves ? 3 : 1); chunks++)
                for (int microbatches = 1; microbatches <= 3 * stages; microbatches++)
                {
                    var spec = Specs.Of(pipeline: stages, microbatches: microbatches, schedule: name, chunks: chunks) with
                    {
                        Model = Specs.Tiny with { Layers = 24 },
                    };
                    Assert.Empty(ProgramChecker.Check(spec).Violations);
                    if (microbatches < stages)
                        continue;
                    double formula = schedule.BubbleOf(new PipelineShape(stages, chunks, microbatches), Equal);
                    Assert.Equal(formula, PipelineTimeline.Simulate(spec, StepCosts.Even(spec, Equal)).BubbleRatio, 9);
                }
    }

    [Fact]
    public void FormulasAreThePublishedOnes()
    {
        var shape = new PipelineShape(4, 1, 8);
        Assert.Equal(3.0 / 11, ScheduleRegistry.Find("1f1b").BubbleOf(shape, Equal), 12);
        Assert.Equal(3.0 / 19, ScheduleRegistry.Find("interleaved-1f1b").BubbleOf(shape with { Chunks = 2 }, Equal), 12);
        Assert.Equal(3.0 / 27, ScheduleRegistry.Find("zero-bubble").BubbleOf(shape, Equal), 12);
    }

    [Theory]
    [InlineData(1.0, 1.0, 1.0)]
    [InlineData(1.0, 1.2, 0.9)]
    [InlineData(1.0, 2.0, 1.0)]
    public void InterleavedAndZeroBubbleAreShorterThanOneForwardOneBackward(double forward, double input, double weight)
    {
        var times = new PassTimes(forward, input, weight);
        double plain = Simulate("1f1b", 4, 1, 8, times).BubbleRatio;
        Assert.True(Simulate("interleaved-1f1b", 4, 2, 8, times).BubbleRatio < 0.7 * plain);
        Assert.True(Simulate("zero-bubble", 4, 1, 8, times).BubbleRatio < 0.7 * plain);
    }

    [Fact]
    public void TransfersThatNothingHidesLengthenTheStep()
    {
        var spec = Specs.Of(pipeline: 4, microbatches: 1);
        var costs = StepCosts.Even(spec, Equal);
        double without = PipelineTimeline.Simulate(spec, costs).Seconds;
        var with = PipelineTimeline.Simulate(spec, costs with { Transfer = 0.5 });
        Assert.Equal(without + 6 * 0.5, with.Seconds, 9);
        Assert.Equal(6 * 0.5 / 4, with.ExposedCommunicationSeconds, 9);
    }

    [Fact]
    public void ReductionsBesideTheBackwardPassAreHidden()
    {
        var spec = Specs.Of(data: 2, microbatches: 2);
        var costs = StepCosts.Even(spec, new PassTimes(8, 8, 8)) with { Reduce = _ => 1 };
        Assert.Equal(2, PipelineTimeline.Simulate(spec, costs).ExposedCommunicationSeconds, 9);
    }

    [Fact]
    public void RecomputationTakesAnotherForwardPass()
    {
        var spec = Specs.Of();
        var block = StepCosts.FromOperations(spec with { Recompute = RecomputeKind.Block }, 1).Blocks[1];
        Assert.Equal(2 * block.Forward, block.BackwardInput, 9);
        Assert.Equal(
            block.Forward,
            StepCosts.FromOperations(spec with { Recompute = RecomputeKind.Selective }, 1).Blocks[1].BackwardInput,
            9
        );
    }

    private static PipelineTimeline Simulate(string schedule, int stages, int chunks, int microbatches, PassTimes? times = null)
    {
        var spec = Specs.Of(pipeline: stages, microbatches: microbatches, schedule: schedule, chunks: chunks);
        return PipelineTimeline.Simulate(spec, StepCosts.Even(spec, times ?? Equal));
    }
}
