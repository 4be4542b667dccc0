using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Journal;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class RankMonitorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-monitor-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhatARankTellsIsReadFromTheFolder()
    {
        var worlds = InProcessWorld.Create(2);
        using var monitor = new RankMonitor(_folder, worlds[1]);
        Assert.Equal("starting", Read().Busy);
        monitor.Beat(12);
        Assert.Equal(
            (1, 12, "", Environment.MachineName, Environment.ProcessId),
            (Read().Rank, Read().Step, Read().Busy, Read().Host, Read().ProcessId)
        );
        var before = Read();
        using (monitor.Busy("saving"))
            Assert.Equal("saving", Read().Busy);
        Assert.Equal("", Read().Busy);
        Assert.True(Read().Moved >= before.Moved);
        Array.ForEach(worlds, world => world.Dispose());
    }

    /// <summary>A rank that starts again makes its file anew, and whoever looks in that moment finds its name alone.</summary>
    [Fact]
    public void AHeartbeatThatGoesWhileItIsReadIsPassedOver()
    {
        var worlds = InProcessWorld.Create(2);
        using var monitor = new RankMonitor(_folder, worlds[1]);
        File.CreateSymbolicLink(Heartbeat.PathOf(_folder, 0), Path.Combine(_folder, "gone"));
        Assert.Equal(1, Read().Rank);
        Array.ForEach(worlds, world => world.Dispose());
    }

    [Fact]
    public void TheJournalIsReadWhileAnOperationWaits()
    {
        var worlds = InProcessWorld.Create(2);
        using var monitor = new RankMonitor(_folder, worlds[0]);
        var work = worlds[0].Group.Barrier();
        var entry = Assert.Single(CollectiveJournal.Read(RankMonitor.JournalPath(_folder, 0)));
        Assert.Equal((OperationKind.Barrier, OperationState.Posted, "world"), (entry.Signature.Kind, entry.State, entry.Group));
        worlds[1].Group.Barrier().Wait();
        work.Wait();
        Assert.Equal(OperationState.Completed, Assert.Single(CollectiveJournal.Read(RankMonitor.JournalPath(_folder, 0))).State);
        Array.ForEach(worlds, world => world.Dispose());
    }

    /// <summary>
    /// A page that is missing when it is written, on a disk that is full by then, ends the process: every file has its room from the start.
    /// </summary>
    [Fact]
    public void FilesWrittenThroughMemoryHaveTheirRoom()
    {
        var worlds = InProcessWorld.Create(1);
        using var monitor = new RankMonitor(_folder, worlds[0]);
        Assert.Null(monitor.Problem);
        foreach (string path in (string[])[Heartbeat.PathOf(_folder, 0), RankMonitor.JournalPath(_folder, 0)])
        {
            using var stat = System.Diagnostics.Process.Start(
                new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%b %B %s", path]) { RedirectStandardOutput = true }
            )!;
            long[] words =
            [
                .. stat
                    .StandardOutput.ReadToEnd()
                    .Split(' ')
                    .Select(word => long.Parse(word, System.Globalization.CultureInfo.InvariantCulture)),
            ];
            Assert.True(words[0] * words[1] >= words[2] && words[2] > 0, $"{path} has {words[0]} blocks for {words[2]} bytes");
        }
        worlds[0].Dispose();
    }

    /// <summary>Without room for the files training goes on; the supervisor neither misses the rank nor ends it.</summary>
    [Theory]
    [InlineData("rank-00000.beat")]
    [InlineData("rank-00000.journal")]
    public void ARankWithoutRoomForItsSignsOfLifeGoesOn(string inTheWay)
    {
        Directory.CreateDirectory(Path.Combine(_folder, inTheWay));
        var worlds = InProcessWorld.Create(1);
        using (var monitor = new RankMonitor(_folder, worlds[0]))
        {
            Assert.StartsWith($"The signs of life of rank 0 cannot be written to {_folder} (", monitor.Problem);
            monitor.Beat(3);
            worlds[0].Group.Barrier().Wait();
            using (monitor.Busy("saving")) { }
            Directory.Delete(Path.Combine(_folder, inTheWay));
            Assert.Null(new StartWatch(_folder, 1, TimeSpan.Zero).Observe(DateTimeOffset.UtcNow));
            Assert.NotEmpty(Diagnosis.Of(_folder, DateTimeOffset.UtcNow).Sentence);
        }
        worlds[0].Dispose();
    }

    private Heartbeat Read() => Assert.Single(Heartbeat.ReadAll(_folder));
}
