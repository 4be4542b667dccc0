using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tests.Timing;

public class PipelinePictureTests
{
    [Fact]
    public void OneForwardOneBackwardLooksAsInThePapers()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 2);
        var timeline = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 0)));
        Assert.Equal("   0 │000111···aaa···bbb│\n   1 │···000aaa111bbb···│", PipelinePicture.Render(timeline, 25));
    }

    [Fact]
    public void ColoursAreClosed()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 2, schedule: "zero-bubble");
        string[] lines = PipelinePicture
            .Render(PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 1))), 40, colour: true)
            .Split('\n');
        Assert.All(
            lines,
            line =>
                Assert.Equal(line.LastIndexOf("\u001b[", StringComparison.Ordinal), line.LastIndexOf("\u001b[0m", StringComparison.Ordinal))
        );
    }
}
