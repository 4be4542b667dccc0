using System.Diagnostics;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class RankGuardTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-guard-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private int Guard(int rank, string script, string rankVariable = "PMI_RANK")
    {
        using var guard = Start(rank, script, rankVariable);
        guard.WaitForExit();
        return guard.ExitCode;
    }

    private Process Start(int rank, string script, string rankVariable = "PMI_RANK")
    {
        var start = new ProcessStartInfo(RankGuard.Command[0], [.. RankGuard.Command.Skip(1), "sh", "-c", script]);
        start.Environment[LaunchFolder.Variable] = _folder;
        start.Environment[rankVariable] = $"{rank}";
        return Process.Start(start)!;
    }

    private void Report(int rank, string message, DateTime time)
    {
        new LaunchFolder(_folder).Write(new RankFailure(rank, "n0", DateTimeOffset.UtcNow, "IOException", message, IsUserError: false));
        File.SetLastWriteTimeUtc(Path.Combine(_folder, $"failure-{rank:D5}.json"), time);
    }

    [Theory]
    [InlineData("exit 7", 7, "exit 7", "it exited with code 7")]
    [InlineData("kill -9 $$", 137, "signal 9", "it was ended by signal 9 (Killed)")]
    [InlineData("kill -SEGV $$", 139, "signal 11", "it was ended by signal 11 (Segmentation fault)")]
    public void HowARankEndedIsWrittenDown(string script, int code, string kind, string message)
    {
        Assert.Equal(code, Guard(3, script));
        var first = new LaunchFolder(_folder).First()!;
        Assert.Equal((3, Environment.MachineName, kind, message), (first.Rank, first.Host, first.Kind, first.Message));
    }

    [Theory]
    [InlineData("OMPI_COMM_WORLD_RANK")]
    [InlineData("PMIX_RANK")]
    [InlineData("PMI_RANK")]
    public void ARankIsKnownByEveryLaunchersVariable(string variable)
    {
        Assert.Equal(0, Guard(12, "exit 0", variable));
        Assert.Null(new LaunchFolder(_folder).First());
        Assert.Equal((12, Environment.MachineName), (RankGuard.Begun(_folder)[0].Rank, RankGuard.Begun(_folder)[0].Host));
    }

    [Theory]
    [InlineData("kill -9 $$", false)]
    [InlineData("exit 0", true)]
    public void SharedMemoryOfAKilledRankIsRemoved(string end, bool stays)
    {
        string name = $"uniscale-test-{Path.GetFileName(_folder)}";
        Guard(3, $"echo 'n0 {name}' >{_folder}/rank-00003.shm; echo >/dev/shm/{name}; {end}");
        Assert.Equal(stays, File.Exists($"/dev/shm/{name}"));
        File.Delete($"/dev/shm/{name}");
    }

    /// <summary>What cannot be written down, as on a full disk, the rank says itself.</summary>
    [Fact]
    public void AFailureThatIsNotWrittenIsNotTakenForReported()
    {
        var failure = new RankFailure(0, "n0", DateTimeOffset.UtcNow, "IOException", "the disk is full", IsUserError: false);
        string place = Path.Combine(_folder, "gone");
        var folder = new LaunchFolder(place);
        if (Directory.Exists(place))
            Directory.Delete(place);
        Assert.False(folder.Write(failure));
        Directory.CreateDirectory(place);
        Assert.True(folder.Write(failure));
        Assert.True(folder.Write(failure with { Message = "later" }));
        Assert.Equal("the disk is full", folder.First()!.Message);
    }

    [Fact]
    public void ASignalToTheGroupIsTheRanksToAnswer()
    {
        string ready = Path.Combine(_folder, "ready");
        using var guard = Start(0, $"trap 'exit 5' USR1; echo >{ready}; while :; do sleep 0.05; done");
        Assert.True(SpinWait.SpinUntil(() => File.Exists(ready), TimeSpan.FromSeconds(30)));
        // As mpirun does: to the guard as well as to the rank.
        Process.Start("sh", ["-c", $"kill -USR1 {guard.Id} $(cat /proc/{guard.Id}/task/{guard.Id}/children)"]).WaitForExit();
        guard.WaitForExit();
        Assert.Equal((5, "exit 5"), (guard.ExitCode, new LaunchFolder(_folder).First()!.Kind));
    }

    [Fact]
    public void ARankDoesNotOutliveItsGuard()
    {
        string file = Path.Combine(_folder, "process");
        using var guard = Start(0, $"echo $$ >{file}.part; mv {file}.part {file}; exec sleep 1000");
        Assert.True(SpinWait.SpinUntil(() => File.Exists(file), TimeSpan.FromSeconds(30)));
        guard.Kill();
        guard.WaitForExit();
        string rank = $"/proc/{File.ReadAllText(file).Trim()}";
        Assert.True(
            SpinWait.SpinUntil(
                () => !Directory.Exists(rank) || File.ReadAllText(rank + "/stat").Contains(") Z ", StringComparison.Ordinal),
                TimeSpan.FromSeconds(30)
            )
        );
    }

    [Fact]
    public void AKilledRankComesBeforeThoseThatMissIt()
    {
        Report(0, "the connection is gone", DateTime.UtcNow - TimeSpan.FromSeconds(1));
        Guard(1, "kill -9 $$");
        Assert.Equal((1, "signal 9"), (new LaunchFolder(_folder).First()!.Rank, new LaunchFolder(_folder).First()!.Kind));
    }

    [Fact]
    public void AKilledRankComesBeforeThoseWhoseLibraryAbortsThem()
    {
        Guard(1, "kill -ABRT $$");
        Assert.Equal("signal 6", new LaunchFolder(_folder).First()!.Kind);
        Guard(2, "kill -9 $$");
        Assert.Equal((2, "signal 9"), (new LaunchFolder(_folder).First()!.Rank, new LaunchFolder(_folder).First()!.Kind));
        // One that ends long after the first was ended because of it.
        File.SetLastWriteTimeUtc(Path.Combine(_folder, "rank-00001.exit"), DateTime.UtcNow - TimeSpan.FromSeconds(10));
        Assert.Equal((1, "signal 6"), (new LaunchFolder(_folder).First()!.Rank, new LaunchFolder(_folder).First()!.Kind));
    }

    [Fact]
    public void ARankThatMpirunEndedDoesNotComeBeforeTheFirstFailure()
    {
        Report(0, "the disk is on fire", DateTime.UtcNow - TimeSpan.FromSeconds(1));
        Guard(1, "kill -TERM $$");
        Assert.Equal((0, "the disk is on fire"), (new LaunchFolder(_folder).First()!.Rank, new LaunchFolder(_folder).First()!.Message));
    }

    [Fact]
    public void WhatARankSaysCountsMoreThanItsExitCode()
    {
        Report(1, "the disk is on fire", DateTime.UtcNow);
        Guard(1, "exit 1");
        Assert.Equal("the disk is on fire", Assert.Single(new LaunchFolder(_folder).Failures()).Message);
    }
}
