using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;
using Uniscale.Programs.Tracing;

namespace Uniscale.Programs.Tests.Tracing;

public sealed class MeasuredTraceTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void WhatWasMeasuredGivesTheCostsAndTheBubbleItHad()
    {
        var spec = Specs.Of(pipeline: 3, microbatches: 5, schedule: "zero-bubble");
        var costs = StepCosts.Even(spec, new PassTimes(1, 1.5, 0.5));
        var original = PipelineTimeline.Simulate(spec, costs);
        Save(writer =>
        {
            foreach (double origin in new[] { 1000.0, 2000.0 })
                WriteStep(writer, original, origin, wait: 0);
        });
        var steps = MeasuredTrace.Steps(_file);
        Assert.Equal(2, steps.Count);
        Assert.All(steps, step => Assert.Equal(original.BubbleRatio, step.BubbleRatio, 6));
        var again = StepCosts.FromMeasured(spec, steps);
        for (int block = 1; block <= spec.Model.Layers; block++)
        {
            Assert.Equal(costs.Blocks[block].Forward, again.Blocks[block].Forward, 6);
            Assert.Equal(costs.Blocks[block].BackwardWeight, again.Blocks[block].BackwardWeight, 6);
        }
        Assert.Equal(original.PassesEnd, PipelineTimeline.Simulate(spec, again).PassesEnd, 5);
    }

    [Fact]
    public void WaitingInsideAPassIsNoWork()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 4);
        var original = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 1)));
        Save(writer => WriteStep(writer, original, 0, wait: 0.25));
        Assert.Equal(original.BubbleRatio, MeasuredTrace.Steps(_file)[0].BubbleRatio, 6);
    }

    [Fact]
    public void AStepWithoutItsNormIsLeftOut()
    {
        Save(writer => writer.Write("forward b0 m0", "compute", 0, 1, 0, 0));
        Assert.Empty(MeasuredTrace.Steps(_file));
    }

    [Fact]
    public void AnotherFileIsRefused()
    {
        File.WriteAllText(_file, "{\"events\": []}");
        Assert.Throws<FormatException>(() => MeasuredTrace.Steps(_file));
    }

    [Theory]
    [InlineData("reduce-gradients b3 m1")]
    [InlineData("send-activation b4 m1 @6")]
    [InlineData("norm")]
    public void InstructionsAreReadAsTheyAreWritten(string text)
    {
        Assert.True(Instruction.TryParse(text, out var instruction));
        Assert.Equal(text, instruction.ToString());
        Assert.False(Instruction.TryParse("all-reduce data", out _));
    }

    /// <summary>Writes a step as the engine does: each pass with the wait in front of it, and the norm of each rank.</summary>
    private static void WriteStep(ChromeTraceWriter writer, PipelineTimeline step, double origin, double wait)
    {
        foreach (var interval in step.Intervals.Where(interval => interval.Instruction.Op != Op.Update))
        {
            double waited = Math.Min(
                wait,
                interval.Start
                    - step.Intervals.Where(i => i.Rank == interval.Rank && i.End <= interval.Start + 1e-9)
                        .Select(i => i.End)
                        .DefaultIfEmpty(interval.Start)
                        .Max()
            );
            double start = (origin + interval.Start - waited) * 1e6;
            writer.Write(interval.Instruction.ToString(), "compute", start, (interval.Duration + waited) * 1e6, interval.Rank, 0);
            if (waited > 0)
                writer.Write("wait", "wait", start, waited * 1e6, interval.Rank, 1);
        }
        foreach (int rank in step.Ranks)
            writer.Write("norm", "compute", (origin + step.PassesEnd + 1) * 1e6, 1, rank, 0);
    }

    private void Save(Action<ChromeTraceWriter> write)
    {
        using var stream = File.Create(_file);
        using var writer = new ChromeTraceWriter(stream);
        write(writer);
    }
}
