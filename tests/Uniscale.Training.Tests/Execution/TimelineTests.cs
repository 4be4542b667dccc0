using System.Diagnostics;
using System.Text.Json;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Programs;
using Uniscale.Training.Tests.Support;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Execution;

public sealed class TimelineTests
{
    [Fact]
    public void CommunicationThatIsWaitedForIsExposedAndThatBesideComputeIsNot()
    {
        // A busy machine may take the processor away between the operation's end and the wait: the best of some tries counts.
        double exposed = Enumerable.Range(0, 5).Max(_ => Share(waits: true)),
            hidden = Enumerable.Range(0, 5).Min(_ => Share(waits: false));
        Assert.InRange(exposed, 0.5, 1);
        Assert.InRange(hidden, 0, 0.3);

        static double Share(bool waits) =>
            TestRuns.OnRanks(
                2,
                world =>
                {
                    var timeline = new Timeline(world.Rank, world.Journal);
                    using var value = zeros(4);
                    var work = world.Rank == 0 ? world.Group.AllReduce(TensorBuffer.Of(value)) : null;
                    Thread.Sleep(world.Rank == 0 && !waits ? 60 : 0);
                    if (world.Rank == 1)
                    {
                        Thread.Sleep(40);
                        work = world.Group.AllReduce(TensorBuffer.Of(value));
                    }
                    long start = Stopwatch.GetTimestamp();
                    work!.Wait();
                    timeline.Waited(start, Stopwatch.GetTimestamp());
                    timeline.CollectOperations();
                    return timeline.ExposedShare();
                }
            )[0];
    }

    [Fact]
    public void WhatHappensWhileNothingIsRecordedIsLeftOut()
    {
        using var world = Collectives.InProcess.InProcessWorld.Create(1)[0];
        var timeline = new Timeline(0, world.Journal) { IsRecording = false };
        Assert.Null(timeline.Compute(new Instruction(Op.Norm)));
        timeline.IsRecording = true;
        timeline.Compute(new Instruction(Op.Forward, 1, 0))!.Dispose();
        Assert.Equal(["forward b1 m0"], timeline.Events.Select(e => e.Name));
    }

    [Fact]
    public void TheFileIsAChromeTraceWithAProcessARank()
    {
        string path = Path.GetTempFileName();
        Timeline.Write(
            path,
            [(0, [new TimelineEvent(TimelineRow.Compute, "norm", 10, 5)]), (3, [new TimelineEvent(TimelineRow.Wait, "wait", 11, 2)])]
        );
        using var trace = JsonDocument.Parse(File.ReadAllText(path));
        File.Delete(path);
        var complete = trace
            .RootElement.GetProperty("traceEvents")
            .EnumerateArray()
            .Where(e => e.GetProperty("ph").GetString() == "X")
            .ToList();
        Assert.Equal([0, 3], complete.Select(e => e.GetProperty("pid").GetInt32()));
        Assert.Equal(["norm", "wait"], complete.Select(e => e.GetProperty("name").GetString()));
    }
}
