using System.Text.Json;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;
using Uniscale.Programs.Tracing;

namespace Uniscale.Programs.Tests.Tracing;

public class ChromeTraceTests
{
    [Fact]
    public void EventsHaveWhatViewersNeed()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 2);
        var timeline = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 1)) with { Transfer = 0.25 });
        using var stream = new MemoryStream();
        using (var writer = new ChromeTraceWriter(stream))
            ChromeTrace.Write(writer, timeline);
        var events = JsonDocument.Parse(stream.ToArray()).RootElement.GetProperty("traceEvents").EnumerateArray().ToArray();
        var complete = events.Where(e => e.GetProperty("ph").GetString() == "X").ToArray();
        Assert.Equal(timeline.Intervals.Count, complete.Length);
        Assert.Equal(timeline.Seconds * 1e6, complete.Max(e => e.GetProperty("ts").GetDouble() + e.GetProperty("dur").GetDouble()), 2);
        Assert.Equal([0, 1], complete.Select(e => e.GetProperty("pid").GetInt32()).Distinct().Order());
        Assert.Contains(
            events,
            e =>
                e.GetProperty("name").GetString() == "thread_name"
                && e.GetProperty("args").GetProperty("name").GetString() == "communication"
        );
        var send = complete.First(e => e.GetProperty("cat").GetString() == "communication");
        Assert.Equal(250_000, send.GetProperty("dur").GetDouble());
    }
}
