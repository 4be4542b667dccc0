using Uniscale.Launching.Processes;
using Uniscale.Launching.Slurm;

namespace Uniscale.Launching.Tests.Slurm;

public sealed class SrunCommandTests
{
    private static string Line(SrunCommand command, LaunchOptions options) =>
        string.Join(' ', command.Arguments(options, ["/bin/uniscale"]))
            .Replace(string.Join(' ', RankGuard.Command), "GUARD", StringComparison.Ordinal);

    [Fact]
    public void RanksArePlacedOneByOneAndGuarded() =>
        Assert.Equal(
            "--ntasks=4 --distribution=arbitrary --export=ALL --input=none --kill-on-bad-exit=1 --wait=0 --mpi=pmix --cpus-per-task=8 GUARD /bin/uniscale train c.yaml",
            Line(new("pmix", 8), new() { Ranks = 4, Arguments = ["train", "c.yaml"] })
        );

    [Theory]
    [InlineData(Binding.Core, "--cpu-bind=cores --label GUARD")]
    [InlineData(Binding.None, "--cpu-bind=none --label GUARD")]
    public void BindingIsTheClustersUnlessTheUserSaysOtherwise(Binding binding, string expected) =>
        Assert.Contains(
            $"--wait=0 {expected}",
            Line(
                new(null, null),
                new()
                {
                    Ranks = 1,
                    Arguments = [],
                    Binding = binding,
                    TagOutput = true,
                }
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void AStartAfterAHostIsGoneDoesNotWaitForTheEndOfTheOneBefore() =>
        Assert.Contains(
            " --overlap ",
            Line(
                new(null, null),
                new()
                {
                    Ranks = 1,
                    Arguments = [],
                    OverlapsEarlierStart = true,
                }
            ),
            StringComparison.Ordinal
        );

    /// <summary>No value stands on the command line, where every user of the node can read it.</summary>
    [Fact]
    public void VariablesGoByTheEnvironment()
    {
        var variables = new SrunCommand("pmi2", 8).Environment(
            new()
            {
                Ranks = 4,
                Arguments = [],
                Environment = new Dictionary<string, string> { ["UNISCALE_LAUNCH_FOLDER"] = "/run" },
            },
            "/run/tasks"
        );
        Assert.Equal(
            ("/run/tasks", "8", "/run"),
            (variables["SLURM_HOSTFILE"], variables["OMP_NUM_THREADS"], variables["UNISCALE_LAUNCH_FOLDER"])
        );
        Assert.Null(variables["SLURM_NTASKS_PER_NODE"]);
        Assert.Equal(
            "3",
            new SrunCommand("pmi2", 8).Environment(
                new()
                {
                    Ranks = 4,
                    Arguments = [],
                    Threads = 3,
                },
                "/run/tasks"
            )["OMP_NUM_THREADS"]
        );
    }

    [Theory]
    [InlineData(true, "pmix")]
    [InlineData(false, "pmi2")]
    public void ThePlugInIsThatOfTheMpi(bool isOpenMpi, string expected) => Assert.Equal(expected, SrunCommand.MpiOf(isOpenMpi));
}
