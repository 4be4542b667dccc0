using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Kernels;
using Uniscale.Kernels.Reference;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Faults;
using Uniscale.Training.Preflight;
using Uniscale.Training.Tests.Runs;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Preflight;

/// <summary>The checks themselves, on ranks that are threads and say that they are on several hosts.</summary>
public sealed class NodePreflightTests
{
    /// <summary>Whatever this machine has to do besides, ranks that are alike must not be called slow here.</summary>
    private static readonly PreflightSection Patient = new() { SlowGemm = 0.03, SlowTransfer = 0.02 };

    private static PreflightReport Look(string[] hosts, Func<int, IKernels, IKernels>? around = null, ScalarType type = ScalarType.Float32)
    {
        PreflightReport? report = null;
        InProcessLauncher.Run(
            hosts.Length,
            world =>
            {
                var seen = new NodePreflight(
                    world,
                    hosts[world.Rank],
                    DirectLink.Instance,
                    around?.Invoke(world.Rank, TorchKernels.Instance) ?? TorchKernels.Instance,
                    type,
                    Patient
                ).Run();
                if (world.Rank == 0)
                    report = seen;
            }
        );
        return report!;
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void SoundNodesPass(ScalarType type)
    {
        var report = Look(["n0", "n1", "n2"], type: type);
        Assert.Empty(report.Findings);
        Assert.All(report.Ranks, rank => Assert.True(rank is { Gemm: > 1e8, Memory: > 1e8, Link: > 1e6 }, $"{rank}"));
        Assert.Matches(
            @"^Preflight of 3 hosts, 3 ranks in \d+\.\d s: GEMM .* FLOP/s to |^Preflight of 3 hosts, 3 ranks in \d+\.\d s: GEMM .*FLOP/s, memory .*B/s, links .*B/s\.$",
            report.Sentence
        );
    }

    [Fact]
    public void RanksOfOneHostHaveNoLinks() => Assert.All(Look(["n0", "n0"]).Ranks, rank => Assert.Equal(0, rank.Link));

    [Fact]
    public void OneWrongBitAndASlowProductAreFound()
    {
        var report = Look(
            ["n0", "n1", "n2"],
            (rank, kernels) =>
                rank == 0 ? kernels : PreflightKernels.Of(kernels, TimeSpan.FromSeconds(rank == 2 ? 1 : 0), isWrong: rank == 1)
        );
        Assert.Equal(
            "n1: rank 1 multiplies matrices wrongly (1 of 512 rows of a product whose result is known)",
            report.Findings[0].Sentence
        );
        Assert.Contains(
            report.Findings,
            finding => !finding.IsWrong && finding.Sentence.StartsWith("n2: rank 2 multiplies at ", StringComparison.Ordinal)
        );
        Assert.Equal(2, report.Findings.Count);
    }

    /// <summary>Every player meets every other once, and both say so of the same round.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(256)]
    public void EveryHostMeetsEveryOtherOnce(int players)
    {
        int[][] rounds = [.. Enumerable.Range(0, players).Select(player => LinkCheck.Opponents(player, players).ToArray())];
        for (int player = 0; player < players; player++)
        {
            Assert.Equal(Enumerable.Range(0, players).Where(other => other != player), rounds[player].Where(other => other >= 0).Order());
            for (int round = 0; round < rounds[player].Length; round++)
                if (rounds[player][round] is >= 0 and var other)
                    Assert.Equal(player, rounds[other][round]);
        }
    }

    [Theory]
    [InlineData("auto", 8, 8, false)]
    [InlineData("auto", 8, 4, true)]
    [InlineData("always", 1, 1, true)]
    [InlineData("never", 8, 4, false)]
    public void SmallJobsAreNotLookedAtUnlessAsked(string when, int size, int local, bool expected) =>
        Assert.Equal(
            expected,
            NodePreflight.IsWanted(
                new RunConfiguration { Preflight = new() { When = Enum.Parse<PreflightWhen>(when, ignoreCase: true) } },
                new RankEnvironment(LauncherKind.OpenMpi, 0, size, 0, local, "n0")
            )
        );

    [Fact]
    public void ARunWithAWrongNodeEndsBeforeItsFirstStep()
    {
        using var runs = new SmallRuns();
        string[] planted = ["preflight.when=always", "faults.enabled=true", "faults.inject=[{ kind: wrong-gemm }]"];
        var failure = Assert.Throws<RankFailedException>(() => SmallRuns.Train(new(runs.Configure("run", planted), new(), new()), 2));
        Assert.Matches("^rank 1 failed first: the preflight refuses .*: rank 1 multiplies matrices wrongly", failure.Message);
        Assert.False(File.Exists(runs.In("run/metrics.jsonl")));
        // The fault happened once; the same command goes on and tells what it has measured.
        Assert.Equal(6, SmallRuns.Train(new(runs.Configure("run", planted), new(), new()), 2).Position.Step);
    }

    [Theory]
    [InlineData("n7", 1)]
    [InlineData("", 0)]
    public void AFaultOfAHostHappensThere(string other, int steps)
    {
        using var runs = new SmallRuns();
        string host = other.Length > 0 ? other : Environment.MachineName;
        var job = new Uniscale.Training.Runs.TrainingJob(
            runs.Configure(
                "run",
                "preflight.when=always",
                "faults.enabled=true",
                $"faults.inject=[{{ kind: wrong-gemm, host: {host} }}]",
                "train.steps=1"
            ),
            new(),
            new()
        );
        if (steps > 0)
            Assert.Equal(steps, SmallRuns.Train(job, 1).Position.Step);
        else
            Assert.Throws<RankFailedException>(() => SmallRuns.Train(job, 1));
    }
}
