using Uniscale.Telemetry.Export;

namespace Uniscale.Telemetry.Tests.Export;

public sealed class NewsRingTests
{
    [Fact]
    public void NewsComeInTheirOrder()
    {
        var ring = new NewsRing(8);
        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < 7; i++)
                ring.Write(round * 10 + i);
            for (int i = 0; i < 7; i++)
                Assert.Equal(round * 10 + i, ring.Read());
            Assert.Null(ring.Read());
        }
        Assert.Equal(0, ring.Dropped);
    }

    [Fact]
    public void WhatDoesNotFitIsDroppedAndCounted()
    {
        var ring = new NewsRing(4);
        for (int i = 0; i < 10; i++)
            ring.Write(i);
        Assert.Equal(6, ring.Dropped);
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 4).Select(_ => (int)ring.Read()!));
        Assert.True(ring.IsEmpty);
    }

    [Fact]
    public async Task TwoThreadsLoseNothing()
    {
        const int count = 200_000;
        var ring = new NewsRing(1024);
        object[] numbers = Enumerable.Range(0, count).Select(i => (object)i).ToArray();
        var reading = Task.Run(() =>
        {
            int next = 0;
            while (next < count)
                if (ring.Read() is int found)
                    Assert.Equal(next++, found);
        });
        foreach (object number in numbers)
        {
            long dropped;
            do
            {
                dropped = ring.Dropped;
                ring.Write(number);
            } while (ring.Dropped != dropped);
        }
        await reading.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void AStepCostsItsThreadOneWriteAndNoAllocation()
    {
        using var sink = new ExportSink([new RunMeters(0)], _ => { });
        var report = new StepReport { Step = 1 };
        sink.Step(report);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
            sink.Step(report);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
