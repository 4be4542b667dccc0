using Uniscale.Configuration;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class JobShapeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-shape-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Fault On(string host) => new("signal 9", 7, 1, host, "rank 1 failed first");

    private static RunConfiguration Run(int global = 16, int micro = 0, int tensor = 1, int group = 0) =>
        new()
        {
            Batch = new BatchSection { Global = global, Micro = micro },
            Parallel = new ParallelSection
            {
                Tensor = tensor,
                Zero = new ZeroSection { Stage = group > 0 ? 1 : 0, Group = group },
            },
        };

    private JobShape Shape(RunConfiguration run, int ranks, bool elastic, string? hosts = null)
    {
        string? file = hosts is null ? null : Path.Combine(_folder, "all-hosts");
        if (file is not null)
            File.WriteAllText(file, hosts);
        return new JobShape(run, ranks, elastic, file, hostFaults: 2, Path.Combine(_folder, "launch"));
    }

    [Theory]
    [InlineData(8, 16, 0, 1, 4)] // 7 ranks: of 7, 6, 5, 4 replicas only 4 divide 16
    [InlineData(8, 16, 2, 1, 4)]
    [InlineData(8, 12, 0, 2, 6)] // replicas of two ranks: 3
    [InlineData(2, 16, 0, 1, 1)]
    public void TheLargestLayoutThatDividesTheBatchIsTaken(int ranks, int global, int micro, int tensor, int expected)
    {
        var shape = Shape(Run(global, micro, tensor), ranks, elastic: true);
        var change = shape.After(On("n0"), isLost: true);
        Assert.True(change.IsOther);
        Assert.Equal((expected, expected / tensor), (shape.Ranks, shape.Replicas));
        Assert.Equal(
            $"going on with {expected / tensor} of {ranks / tensor} replicas ({expected} of {ranks} ranks) at the same global batch",
            change.Said
        );
    }

    [Fact]
    public void OneReplicaCannotShrinkAndSaysWhy()
    {
        var change = Shape(Run(tensor: 2), 2, elastic: true).After(On("n0"), isLost: true);
        Assert.Equal(
            (false, "the layout cannot shrink: one replica (tensor 2 × pipeline 1 × context 1) needs 2 ranks, and 1 are left"),
            (change.IsOther, change.Refusal)
        );
    }

    [Fact]
    public void ARuleThatNoSmallerLayoutKeepsIsTheReason() =>
        Assert.Contains(
            "the layout cannot shrink: parallel.zero.group is 2, which does not divide",
            Shape(Run(group: 2), 2, elastic: true).After(On("n0"), isLost: true).Refusal,
            StringComparison.Ordinal
        );

    [Fact]
    public void WithoutElasticNothingChanges()
    {
        var shape = Shape(Run(), 8, elastic: false);
        Assert.Equal(default, shape.After(On("n0"), isLost: true));
        Assert.Equal((8, null), (shape.Ranks, shape.Replicas));
    }

    [Fact]
    public void AFaultThatMayPassChangesNothing() => Assert.Equal(default, Shape(Run(), 8, elastic: true).After(On("n0"), isLost: false));

    [Fact]
    public void AFailingHostIsLeftOutWhereTheOthersHaveRoom()
    {
        var shape = Shape(Run(), 4, elastic: false, "n0 slots=2\nn1.cluster slots=2 # rack 1\nn2 slots=2\n");
        Assert.Equal(default, shape.After(On("n1"), isLost: false));
        var change = shape.After(On("n1"), isLost: false);
        Assert.StartsWith("host n1 has failed 2 times and is left out", change.Said, StringComparison.Ordinal);
        Assert.Equal(4, shape.Ranks);
        Assert.Equal(["n0 slots=2", "n2 slots=2"], File.ReadAllLines(shape.HostFile!));
    }

    private static Fault Refused(params string[] hosts) => new("preflight", 0, 3, hosts[0], "the preflight refuses it") { Refused = hosts };

    [Fact]
    public void WhatThePreflightRefusesIsLeftOutAtOnceAndStaysOut()
    {
        const string hosts = "n0 slots=2\nn1 slots=2\nn2 slots=2\nn3 slots=2\n";
        var shape = Shape(Run(), 4, elastic: false, hosts);
        Assert.True(shape.CanSpareAHost);
        var change = shape.After(Refused("n3", "n1"), isLost: false);
        Assert.True(change.IsOther);
        Assert.Matches(
            "^host n3 was refused by the preflight and is left out .*; host n1 was refused by the preflight and is left out ",
            change.Said
        );
        Assert.Equal(["n0 slots=2", "n2 slots=2"], File.ReadAllLines(shape.HostFile!));
        Assert.False(shape.CanSpareAHost);
        var next = Shape(Run(), 4, elastic: false, hosts);
        Assert.Contains("host n1 has failed 2 times and is left out", next.Begin().Said, StringComparison.Ordinal);
    }

    /// <summary>Slurm's nodes may come back: the next start tries them again.</summary>
    [Fact]
    public void AHostThatIsGoneIsLeftOutForThisStart()
    {
        var allocation = new Uniscale.Launching.Processes.HostFile([
            new("n1 slots=2", "n1", 2),
            new("n2 slots=2", "n2", 2),
            new("n3 slots=2", "n3", 2),
        ]);
        JobShape OnAllocation() =>
            new(Run(), 4, isElastic: false, hostFile: null, hostFaults: 2, Path.Combine(_folder, "launch"), allocation);
        var shape = OnAllocation();
        var change = shape.After(
            new Fault("lost host", 0, -1, "n2", "host n2 does not answer the batch system") { Refused = ["n2"] },
            isLost: false
        );
        Assert.Equal(("host n2 is gone and is left out", true), (change.Said, change.IsOther));
        Assert.Equal(["n1", "n3"], shape.Hosts!.Names);
        Assert.True(shape.HasGoneHosts);
        Assert.Null(OnAllocation().Begin().Said);
    }

    [Fact]
    public void ARefusedHostThatTheJobNeedsEndsIt()
    {
        var change = Shape(Run(), 4, elastic: false, "n0 slots=2\nn1 slots=2\n").After(Refused("n1"), isLost: false);
        Assert.False(change.IsOther);
        Assert.StartsWith(
            "host n1 was refused by the preflight, but the others have 2 slots for 4 ranks",
            change.Refusal,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no host file",
            Shape(Run(), 4, elastic: false).After(Refused("n1"), isLost: false).Refusal,
            StringComparison.Ordinal
        );
        Assert.True(Shape(Run(), 4, elastic: true, "n0 slots=2\nn1 slots=2\n").CanSpareAHost);
        Assert.False(Shape(Run(tensor: 4), 4, elastic: true, "n0 slots=2\nn1 slots=2\n").CanSpareAHost);
    }

    [Fact]
    public void WithoutRoomAnElasticJobShrinksWithItsHosts()
    {
        var shape = Shape(Run(), 4, elastic: true, "n0:2\nn1:2\n");
        shape.After(On("n0"), isLost: false);
        var change = shape.After(On("n0"), isLost: false);
        Assert.EndsWith("; going on with 2 of 4 replicas (2 of 4 ranks) at the same global batch", change.Said, StringComparison.Ordinal);
        Assert.Equal((2, "n1:2"), (shape.Ranks, Assert.Single(File.ReadAllLines(shape.HostFile!))));
    }

    [Fact]
    public void WithoutRoomAndWithoutElasticTheHostIsUsedAgain()
    {
        var shape = Shape(Run(), 4, elastic: false, "n0 slots=2\nn1 slots=2\n");
        shape.After(On("n0"), isLost: false);
        var change = shape.After(On("n0"), isLost: false);
        Assert.Equal(
            (
                false,
                "host n0 has failed 2 times, but the others have 2 slots for 4 ranks, so it is used again (add a host, or give --elastic)"
            ),
            (change.IsOther, change.Said)
        );
        Assert.Equal(Path.Combine(_folder, "all-hosts"), shape.HostFile);
    }

    [Fact]
    public void TheCountLastsOverStartsAndAMendedHostIsTakenBack()
    {
        const string hosts = "n0 slots=4\nn1 slots=4\n";
        var first = Shape(Run(), 4, elastic: false, hosts);
        first.After(On("n1"), isLost: false);
        first.After(On("n1"), isLost: false);
        var second = Shape(Run(), 4, elastic: false, hosts);
        Assert.Contains("host n1 has failed 2 times and is left out", second.Begin().Said, StringComparison.Ordinal);
        Assert.Equal("n0 slots=4", Assert.Single(File.ReadAllLines(second.HostFile!)));
        File.Delete(Path.Combine(_folder, "launch", FailingHosts.FileName));
        Assert.Null(Shape(Run(), 4, elastic: false, hosts).Begin().Said);
    }
}
