using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

/// <summary>Whole jobs under every mpirun of this machine.</summary>
public sealed class MpiLauncherTests : IDisposable
{
    private readonly Transcript _output = new();
    private readonly Transcript _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    /// <summary>The launchers that tests need; setup.sh installs them.</summary>
    internal static readonly string[] Mpiruns = ["mpirun.mpich", "mpirun.openmpi"];

    public static TheoryData<string> EveryMpirun => [.. Mpiruns];

    public static TheoryData<string, string, string> SilentEnds =>
        new(from mpirun in Mpiruns from end in new[] { ("kill", "signal 9"), ("exit", "exit 7") } select (mpirun, end.Item1, end.Item2));

    private LaunchOptions Options(string scenario, int ranks = 2, string? mpirun = null) =>
        new()
        {
            Mpirun = mpirun,
            Ranks = ranks,
            Arguments = [scenario],
            Program = [RankProgram()],
            Output = _output,
            Error = _error,
        };

    /// <summary>The rank program of the same build configuration.</summary>
    internal static string RankProgram()
    {
        string[] parts = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar);
        string name = "Uniscale.Launching.RankProgram";
        return Path.Combine([string.Join(Path.DirectorySeparatorChar, parts[..^4]), name, .. parts[^3..], name]);
    }

    /// <summary>MPICH's mpirun waits on, without end, for a host that ssh has given up.</summary>
    [Fact]
    public void AHostThatCannotBeReachedEndsTheJobSoon()
    {
        string mpirun = Path.Combine(Directory.CreateTempSubdirectory("uniscale-mpirun-").FullName, "mpirun");
        File.WriteAllText(
            mpirun,
            """
            #!/bin/sh
            [ "$1" = --version ] && { printf 'HYDRA build details:\n    Version:                                 4.0.2\n'; exit 0; }
            echo 'ssh: Could not resolve hostname n9: Name or service not known' >&2
            exec sleep 100
            """
        );
        using (var chmod = Process.Start("chmod", ["+x", mpirun]))
            chmod.WaitForExit();
        var watch = Stopwatch.StartNew();
        var result = MpiLauncher.Run(Options("fine", mpirun: mpirun));
        Assert.Contains("host n9 cannot be reached", $"{result.First}", StringComparison.Ordinal);
        Assert.Equal(1, result.ExitCode);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{watch.Elapsed}");
        Directory.Delete(Path.GetDirectoryName(mpirun)!, recursive: true);
    }

    [Theory]
    [MemberData(nameof(EveryMpirun))]
    public void AJobThatSucceedsExitsWithZero(string mpirun)
    {
        var result = MpiLauncher.Run(Options("fine", ranks: 4, mpirun: mpirun) with { Threads = 3 });
        Assert.Equal(new LaunchResult(0, null, WasStopped: false), result);
        for (int rank = 0; rank < 4; rank++)
            Assert.Contains($"rank {rank} of 4, 3 threads, fine", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(EveryMpirun))]
    public void TheFirstRankToFailIsNamed(string mpirun)
    {
        var watch = Stopwatch.StartNew();
        var result = MpiLauncher.Run(Options("fail", mpirun: mpirun));
        Assert.Equal(1, result.ExitCode);
        Assert.Equal((1, "InvalidOperationException"), (result.First!.Rank, result.First.Kind));
        Assert.EndsWith("failed first: the disk is on fire", result.First.ToString(), StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
        Assert.DoesNotContain("mpirun", _error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Ranks that are all here open no port to the network (mpirun itself does: docs/reference/limits.md).</summary>
    [Theory]
    [MemberData(nameof(EveryMpirun))]
    public void RanksOfOneMachineListenOnTheLoopbackAlone(string mpirun)
    {
        Assert.Equal(0, MpiLauncher.Run(Options("listen", mpirun: mpirun)).ExitCode);
        string[] lines = [.. _output.ToString().Split('\n').Where(line => line.Contains("listens at", StringComparison.Ordinal))];
        Assert.Equal(2, lines.Length);
        Assert.All(
            lines.SelectMany(line => line.Split("listens at")[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)),
            address => Assert.Equal("0100007F", address.Trim())
        );
    }

    [Fact]
    public void AUsersErrorExitsWithTwo()
    {
        var result = MpiLauncher.Run(Options("user"));
        Assert.Equal(2, result.ExitCode);
        Assert.Equal("The corpus does not exist: make it with scripts/corpus.sh.", result.First!.Message);
    }

    [Theory]
    [MemberData(nameof(SilentEnds))]
    public void ARankThatDiesSilentlyIsNamed(string mpirun, string scenario, string kind)
    {
        var watch = Stopwatch.StartNew();
        var result = MpiLauncher.Run(Options(scenario, mpirun: mpirun));
        Assert.Equal((1, 1, Environment.MachineName, kind), (result.ExitCode, result.First!.Rank, result.First.Host, result.First.Kind));
        Assert.DoesNotContain("PID", _error.ToString(), StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
    }

    [Theory]
    [MemberData(nameof(EveryMpirun))]
    public void AStopReachesEveryRank(string mpirun)
    {
        using var job = MpiLauncher.Start(Options("stop", mpirun: mpirun));
        WaitForRanks();
        job.Stop();
        var result = job.Wait();
        Assert.Equal(new LaunchResult(0, null, WasStopped: true), result);
        for (int rank = 0; rank < 2; rank++)
            Assert.Contains($"rank {rank} saved and stopped", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AStopFileReachesEveryRank()
    {
        string run = Directory.CreateTempSubdirectory("uniscale-run-").FullName;
        using var job = MpiLauncher.Start(
            Options("stop") with
            {
                Environment = new Dictionary<string, string> { ["RUN_DIRECTORY"] = run },
            }
        );
        WaitForRanks();
        File.WriteAllText(Path.Combine(run, "stop"), "");
        Assert.Equal(new LaunchResult(0, null, WasStopped: false), job.Wait());
        Directory.Delete(run, recursive: true);
    }

    [Fact]
    public void RanksThatDoNotEndInTimeAreEnded()
    {
        using var job = MpiLauncher.Start(Options("stop") with { Grace = TimeSpan.Zero });
        WaitForRanks();
        job.Stop();
        var watch = Stopwatch.StartNew();
        Assert.True(job.Wait().WasStopped);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
    }

    [Fact]
    public void WhatIsMissingIsSaidInOneSentence()
    {
        Assert.Contains(
            "install MPICH or Open MPI",
            Assert.Throws<UserErrorException>(() => MpiLauncher.Start(Options("fine") with { Mpirun = "no-such-mpirun" })).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "host file nowhere does not exist",
            Assert.Throws<UserErrorException>(() => MpiLauncher.Start(Options("fine") with { HostFile = "nowhere" })).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "at least one rank",
            Assert.Throws<UserErrorException>(() => MpiLauncher.Start(Options("fine", ranks: 0))).Message,
            StringComparison.Ordinal
        );
    }

    private void WaitForRanks() =>
        Assert.True(
            SpinWait.SpinUntil(() => _output.Contains("rank 0 of 2") && _output.Contains("rank 1 of 2"), TimeSpan.FromSeconds(60)),
            _output + _error.ToString()
        );
}
