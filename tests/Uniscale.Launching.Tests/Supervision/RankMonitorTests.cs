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
        Assert.Equal((1, 12, "", Environment.MachineName, Environment.ProcessId), (Read().Rank, Read().Step, Read().Busy, Read().Host, Read().ProcessId));
        var before = Read();
        using (monitor.Busy("saving")) Assert.Equal("saving", Read().Busy);
        Assert.Equal("", Read().Busy);
        Assert.True(Read().Moved >= before.Moved);
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

    private Heartbeat Read() => Assert.Single(Heartbeat.ReadAll(_folder));
}
