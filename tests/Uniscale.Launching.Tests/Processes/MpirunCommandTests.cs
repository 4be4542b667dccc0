using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class MpirunCommandTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    private static string Line(MpirunCommand command, LaunchOptions options, Dictionary<string, string>? environment = null) =>
        string.Join(' ', command.Arguments(options, ["/bin/uniscale"], environment ?? Nothing))
            .Replace(string.Join(' ', RankGuard.Command), "GUARD", StringComparison.Ordinal);

    [Fact]
    public void RootAndCrowdedMachine() =>
        Assert.Equal(
            "-n 4 --allow-run-as-root --mca odls_base_sigkill_timeout 0 --oversubscribe --bind-to none -x OMP_NUM_THREADS=1 GUARD /bin/uniscale train c.yaml",
            Line(new(IsOpenMpi: true, IsRoot: true, Processors: 2), new() { Ranks = 4, Arguments = ["train", "c.yaml"] })
        );

    [Fact]
    public void EnoughProcessorsAreBound() =>
        Assert.Equal(
            "-n 2 --mca odls_base_sigkill_timeout 0 --map-by slot:PE=4 --bind-to core -x OMP_NUM_THREADS=4 GUARD /bin/uniscale train",
            Line(new(IsOpenMpi: true, IsRoot: false, Processors: 8), new() { Ranks = 2, Arguments = ["train"] })
        );

    [Fact]
    public void BindingCanBeRefused() =>
        Assert.Contains(
            "--bind-to none",
            Line(
                new(true, false, 8),
                new()
                {
                    Ranks = 2,
                    Arguments = [],
                    Binding = Binding.None,
                }
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void HostsTagsAndVariables() =>
        Assert.Equal(
            "-n 16 --hostfile hosts --mca odls_base_sigkill_timeout 0 --bind-to none --tag-output -x DOTNET_gcServer=0 -x OMP_NUM_THREADS=3 -x UNISCALE_X=2 GUARD /bin/uniscale train",
            Line(
                new(true, false, 8),
                new()
                {
                    Ranks = 16,
                    Arguments = ["train"],
                    HostFile = "hosts",
                    TagOutput = true,
                    Threads = 3,
                    Environment = new Dictionary<string, string> { ["UNISCALE_X"] = "2" },
                },
                new()
                {
                    ["DOTNET_gcServer"] = "0",
                    ["UNISCALE_X"] = "1",
                    ["HOME"] = "/root",
                }
            )
        );

    [Fact]
    public void MpichHasItsOwnOptions() =>
        Assert.Equal(
            "-n 2 -f hosts -prepend-rank -genv OMP_NUM_THREADS 1 GUARD /bin/uniscale train",
            Line(
                new(false, true, 2),
                new()
                {
                    Ranks = 2,
                    Arguments = ["train"],
                    HostFile = "hosts",
                    TagOutput = true,
                }
            )
        );

    /// <summary>
    /// What the configuration names reaches the ranks of every host, and no value that may be a secret stands on the command line.
    /// </summary>
    [Fact]
    public void VariablesOfTheConfigurationAreForwardedByTheirNames()
    {
        Dictionary<string, string> environment = new()
        {
            ["LR"] = "3e-3",
            ["UNISCALE_SIGNING_KEY"] = "open-sesame",
            ["UNISCALE_X"] = "1",
            ["HOME"] = "/root",
        };
        LaunchOptions options = new()
        {
            Ranks = 2,
            Arguments = ["train"],
            Forwarded = ["LR", "ABSENT"],
        };
        Assert.EndsWith(
            "-x OMP_NUM_THREADS=4 -x UNISCALE_X=1 -x LR -x UNISCALE_SIGNING_KEY GUARD /bin/uniscale train",
            Line(new(true, false, 8), options, environment)
        );
        // MPICH's passes on everything.
        Assert.EndsWith(
            "-genv OMP_NUM_THREADS 4 -genv UNISCALE_X 1 GUARD /bin/uniscale train",
            Line(new(false, false, 8), options, environment)
        );
    }

    [Fact]
    public void RanksOfOneMachineListenToNoNetwork()
    {
        LaunchOptions options = new()
        {
            Ranks = 2,
            Arguments = ["train"],
            IsOneHost = true,
        };
        string openMpi = Line(new(true, false, 8), options, new() { ["UCX_NET_DEVICES"] = "ib0" });
        Assert.Contains(" --mca btl ^tcp,ofi --mca mtl ^ofi ", openMpi);
        Assert.Contains("-x FI_SOCKETS_IFACE=lo -x FI_TCP_IFACE=lo -x OMP_NUM_THREADS=4 -x UCX_NET_DEVICES=ib0", openMpi);
        Assert.Contains("-genv UCX_NET_DEVICES lo", Line(new(false, false, 8), options));

        Dictionary<string, string> plain = [],
            allocated = new() { ["SLURM_JOB_ID"] = "1" };
        Assert.True(OneHost.Holds(null, 2, plain));
        Assert.True(OneHost.Holds(["localhost", Environment.MachineName], 2, allocated));
        Assert.False(OneHost.Holds(null, 2, allocated));
        Assert.False(OneHost.Holds(["localhost", "n1"], 2, plain));
        Assert.False(OneHost.Holds(null, 1 << 20, plain));
    }

    /// <summary>Variables of an allocation, as far as they describe one; "here" is this machine, DIR a folder with an srun.</summary>
    [Theory]
    [InlineData(true, null)]
    [InlineData(true, null, "SLURM_JOB_ID=7", "SLURM_NODELIST=here")]
    [InlineData(true, null, "SLURM_JOB_ID=7", "SLURM_JOB_NODELIST=n[1-2]", "PATH=/bin:DIR")]
    [InlineData(false, null, "SLURM_JOB_ID=7", "SLURM_NODELIST=n[1-2]", "HYDRA_LAUNCHER=ssh")]
    [InlineData(false, null, "PBS_NODEFILE=/dev/null")]
    [InlineData(true, "SLURM_JOBID=7 says that this shell is in an allocation of Slurm, but SLURM_JOB_NODELIST is not set: ", "SLURM_JOBID=7")]
    [InlineData(
        true,
        "in an allocation of Slurm (n[1-2]), but there is no srun on PATH to start ranks with: ",
        "SLURM_JOB_ID=7",
        "SLURM_NODELIST=n[1-2]",
        "PATH=/nowhere"
    )]
    [InlineData(false, "but there is no srun on PATH to start ranks with: ", "SLURM_JOB_ID=7", "SLURM_NODELIST=here")]
    [InlineData(false, "PBS_NODEFILE names /gone, which does not exist: ", "PBS_NODEFILE=/gone")]
    public void AnAllocationThatIsNoneIsRefusedBeforeMpirunIs(bool isOpenMpi, string? sentence, params string[] variables)
    {
        var folder = Directory.CreateTempSubdirectory("uniscale-srun-");
        File.WriteAllText(Path.Combine(folder.FullName, "srun"), "");
        var environment = variables
            .Select(text =>
                text.Replace("here", Environment.MachineName, StringComparison.Ordinal)
                    .Replace("DIR", folder.FullName, StringComparison.Ordinal)
                    .Split('=')
            )
            .ToDictionary(pair => pair[0], pair => pair[1]);
        if (sentence is null)
            Allocation.Check(isOpenMpi, environment);
        else
            Assert.Contains(
                $"{sentence}launch from a shell of the allocation, or, where the variables are left over from another job, `unset ",
                Assert.Throws<UserErrorException>(() => Allocation.Check(isOpenMpi, environment)).Message
            );
        folder.Delete(recursive: true);
    }

    [Fact]
    public void TheUsersThreadCountWins() =>
        Assert.Contains(
            "-x OMP_NUM_THREADS=7",
            Line(new(true, false, 8), new() { Ranks = 2, Arguments = [] }, new() { ["OMP_NUM_THREADS"] = "7" }),
            StringComparison.Ordinal
        );
}
