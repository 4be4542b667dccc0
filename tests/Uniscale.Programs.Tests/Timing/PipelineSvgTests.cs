using System.Globalization;
using System.Xml.Linq;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tests.Timing;

public class PipelineSvgTests
{
    [Fact]
    public void EachPassIsABoxWithItsMicrobatch()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 3);
        var timeline = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 0)));
        var image = XDocument.Parse(PipelineSvg.Render(timeline, "a < b"));
        var words = image.Descendants().Where(element => element.Name.LocalName == "text").Select(element => element.Value).ToList();
        Assert.Equal("a < b", words[0]);
        // Two ranks make a forward and a backward pass of each microbatch.
        Assert.All(
            Enumerable.Range(0, 3),
            microbatch => Assert.Equal(4, words.Count(word => word == microbatch.ToString(CultureInfo.InvariantCulture)))
        );
    }

    [Fact]
    public void BoxesOfARankDoNotOverlap()
    {
        var spec = Specs.Of(pipeline: 4, microbatches: 8, schedule: "zero-bubble");
        var image = XDocument.Parse(
            PipelineSvg.Render(PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 1))), "zero-bubble")
        );
        var boxes = image.Descendants().Where(element => element.Attribute("stroke") is not null);
        foreach (var row in boxes.GroupBy(box => box.Attribute("y")!.Value))
        {
            double end = 0;
            foreach (var (start, width) in row.Select(box => ((double)box.Attribute("x")!, (double)box.Attribute("width")!)).Order())
            {
                Assert.True(start >= end - 0.02, $"{start} begins before {end}");
                end = start + width;
            }
        }
    }
}
