using Uniscale.Configuration;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Tests.Ranks;

public sealed class RankEnvironmentTests
{
    private static Dictionary<string, string> Variables(params (string Name, string Value)[] entries) =>
        entries.ToDictionary(entry => entry.Name, entry => entry.Value);

    private static readonly (string, string)[] OpenMpi =
    [
        ("OMPI_COMM_WORLD_RANK", "5"),
        ("OMPI_COMM_WORLD_SIZE", "8"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ("OMPI_COMM_WORLD_LOCAL_SIZE", "4"),
    ];

    private static readonly (string, string)[] Pmi =
    [
        ("PMI_RANK", "2"),
        ("PMI_SIZE", "3"),
        ("MPI_LOCALRANKID", "0"),
        ("MPI_LOCALNRANKS", "1"),
    ];

    private static readonly (string, string)[] Slurm =
    [
        ("SLURM_PROCID", "6"),
        ("SLURM_STEP_NUM_TASKS", "7"),
        ("SLURM_LOCALID", "2"),
        ("SLURM_STEP_TASKS_PER_NODE", "4(x1),3"),
    ];

    private static readonly (string, string)[] Torchrun =
    [
        ("RANK", "1"),
        ("WORLD_SIZE", "2"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "2"),
    ];

    [Fact]
    public void EachLauncherIsRecognised()
    {
        Assert.Equal((LauncherKind.OpenMpi, 5, 8, 1, 4), Place(OpenMpi));
        Assert.Equal((LauncherKind.Mpich, 2, 3, 0, 1), Place(Pmi));
        Assert.Equal((LauncherKind.Slurm, 6, 7, 2, 4), Place(Slurm));
        Assert.Equal((LauncherKind.Torchrun, 1, 2, 1, 2), Place(Torchrun));
        Assert.Equal((LauncherKind.Plain, 0, 1, 0, 1), Place([]));
    }

    [Fact]
    public void TheOrderIsFixed()
    {
        Assert.Equal(LauncherKind.OpenMpi, Place([.. Torchrun, .. Slurm, .. Pmi, .. OpenMpi]).Kind);
        Assert.Equal(LauncherKind.Mpich, Place([.. Torchrun, .. Slurm, .. Pmi]).Kind);
        Assert.Equal(LauncherKind.Slurm, Place([.. Torchrun, .. Slurm]).Kind);
    }

    [Fact]
    public void AShellInAnAllocationIsNotARank() =>
        Assert.Equal(LauncherKind.Plain, Place([("SLURM_PROCID", "0"), ("SLURM_NTASKS", "16"), ("SLURM_JOB_ID", "9")]).Kind);

    /// <summary>The shell of <c>srun --pty bash</c> is a step of one task; it may have ranks of its own.</summary>
    [Theory]
    [InlineData(LauncherKind.Plain, "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1")]
    [InlineData(LauncherKind.Plain, "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1", "PMI_RANK=0", "PMI_SIZE=1")]
    [InlineData(LauncherKind.Plain, "RANK=0", "WORLD_SIZE=1")]
    [InlineData(LauncherKind.OpenMpi, "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1", "OMPI_COMM_WORLD_RANK=0", "OMPI_COMM_WORLD_SIZE=1")]
    [InlineData(
        LauncherKind.Mpich,
        "SLURM_PROCID=0",
        "SLURM_STEP_NUM_TASKS=1",
        "PMI_RANK=0",
        "PMI_SIZE=1",
        "UNISCALE_LAUNCH_FOLDER=/run/launch"
    )]
    [InlineData(LauncherKind.Mpich, "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1", "PMI_RANK=1", "PMI_SIZE=2")]
    [InlineData(LauncherKind.Mpich, "PMI_RANK=0", "PMI_SIZE=1")]
    public void AStepOfOneTaskIsAShell(LauncherKind expected, params string[] variables) =>
        Assert.Equal(expected, Place([.. variables.Select(text => text.Split('=')).Select(pair => (pair[0], pair[1]))]).Kind);

    [Theory]
    [InlineData("3,4", "0", 2, 3)]
    [InlineData("3,4", "1", 3, 4)]
    [InlineData("2(x2),3", "2", 2, 3)]
    [InlineData("7", null, 6, 7)]
    public void SlurmsTasksAreThoseOfThisNode(string tasks, string? node, int localRank, int localSize)
    {
        (string, string)[] variables =
        [
            ("SLURM_PROCID", "3"),
            ("SLURM_STEP_NUM_TASKS", "7"),
            ("SLURM_LOCALID", $"{localRank}"),
            ("SLURM_STEP_TASKS_PER_NODE", tasks),
        ];
        Assert.Equal(
            (LauncherKind.Slurm, 3, 7, localRank, localSize),
            Place(node is null ? variables : [.. variables, ("SLURM_NODEID", node)])
        );
    }

    [Fact]
    public void TheOrderOfTheHostIsSlurmsWhereSrunSpeaksPmi() =>
        Assert.Equal((LauncherKind.Mpich, 6, 7, 2, 3), Place([.. Slurm, ("SLURM_NODEID", "1"), ("PMI_RANK", "6"), ("PMI_SIZE", "7")]));

    [Theory]
    [InlineData("SLURM_LOCALID=4", "SLURM_LOCALID=4 is not below the 4 ranks of this host")]
    [InlineData("SLURM_STEP_TASKS_PER_NODE=8", "SLURM_STEP_TASKS_PER_NODE=8 is more than SLURM_STEP_NUM_TASKS=7")]
    [InlineData("SLURM_STEP_TASKS_PER_NODE=4(x", "SLURM_STEP_TASKS_PER_NODE=4(x is not a list like 4(x2),3")]
    [InlineData("SLURM_NODEID=2", "SLURM_NODEID=2 is beyond the nodes of SLURM_STEP_TASKS_PER_NODE=4(x1),3")]
    public void WhatIsLeftOverOfAnotherStepIsRefused(string variable, string sentence)
    {
        var variables = Variables(Slurm);
        variables[variable.Split('=')[0]] = variable.Split('=')[1];
        var error = Assert.Throws<UserErrorException>(() => RankEnvironment.Detect(variables));
        Assert.Contains($"The environment looks like a rank started by Slurm, but {sentence}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OMPI_COMM_WORLD_SIZE", "0", "OMPI_COMM_WORLD_SIZE=0 is not a number of at least 1")]
    [InlineData("OMPI_COMM_WORLD_SIZE", "5", "OMPI_COMM_WORLD_RANK=5 is not below OMPI_COMM_WORLD_SIZE=5")]
    [InlineData("OMPI_COMM_WORLD_RANK", "five", "OMPI_COMM_WORLD_RANK=five is not a number")]
    [InlineData("OMPI_COMM_WORLD_RANK", null, "OMPI_COMM_WORLD_RANK is not set")]
    public void VariablesThatDoNotFitAreRefused(string name, string? value, string sentence)
    {
        var variables = Variables(OpenMpi);
        if (value is null)
            variables.Remove(name);
        else
            variables[name] = value;
        var error = Assert.Throws<UserErrorException>(() => RankEnvironment.Detect(variables));
        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheTableShowsWhatIsUsedAndWhatIsNot()
    {
        var variables = Variables([.. OpenMpi, .. Torchrun]);
        string[] lines = RankEnvironment.Detect(variables).ToTable(variables).Split('\n');
        Assert.Matches(@"^OpenMpi +5 +8 +1 +4 .*<- used", lines[1]);
        Assert.Matches(@"^Mpich +- +- +- +-", lines[2]);
        Assert.Matches(@"^Torchrun +1 +2 +1 +2", lines[4]);
    }

    [Fact]
    public void RanksOfTorchrunAreRefused()
    {
        var error = Assert.Throws<UserErrorException>(() => RankWorld.Join(RankEnvironment.Detect(Variables(Torchrun))));
        Assert.Contains("uniscale launch -n 2", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            "'uniscale launch' as the command of every pod (scripts/templates/kubernetes-pytorchjob.yaml)",
            error.Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void APlainProcessIsAWorldOfOne()
    {
        using var world = RankWorld.Join(RankEnvironment.Detect(Variables()));
        Assert.Equal((0, 1), (world.Rank, world.Size));
    }

    private static (LauncherKind Kind, int Rank, int Size, int LocalRank, int LocalSize) Place((string, string)[] variables)
    {
        var place = RankEnvironment.Detect(Variables(variables));
        return (place.Launcher, place.Rank, place.WorldSize, place.LocalRank, place.LocalSize);
    }
}
