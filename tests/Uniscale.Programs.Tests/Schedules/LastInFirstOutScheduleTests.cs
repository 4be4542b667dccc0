using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tests.Schedules;

public class LastInFirstOutScheduleTests
{
    private static readonly LastInFirstOutSchedule Schedule = new();

    [Theory]
    [InlineData(1, 4)]
    [InlineData(4, 1)]
    [InlineData(4, 8)]
    public void EveryRankOfEveryZeroStagePassesTheChecker(int stages, int microbatches)
    {
        for (int zero = 0; zero <= 3; zero++)
        {
            var spec = Specs.Of(pipeline: stages, data: 2, microbatches: microbatches, zero: zero);
            Assert.Empty(ProgramChecker.Check(spec, new ProgramGenerator(spec, Schedule).Generate).Violations);
        }
    }

    [Fact]
    public void BubbleIsThatOfTheFormula()
    {
        var (spec, times) = (Specs.Of(pipeline: 4, microbatches: 8), new PassTimes(1, 1, 1));
        double predicted = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, times), Schedule).BubbleRatio;
        Assert.Equal(Schedule.BubbleOf(new PipelineShape(4, 1, 8), times), predicted, 9);
    }
}
