using Uniscale.Collectives.RankProgram;

namespace Uniscale.Collectives.Tests.Nccl;

/// <summary>Ranks on devices as processes under mpirun: what goes over MPI, beside an emulator that moves nothing.</summary>
[Collection(NcclTests.Name)]
public sealed class NcclProcessTests
{
    private const string Settings = "NCCL_EMULATOR";

    [Fact]
    public void OperationsOfProcessesAreLaunchedAndARankThatGivesUpIsHeard()
    {
        var reports = Run(4, "nccl", "alone=1,one_slot=1");
        Assert.All(
            reports,
            report =>
            {
                Assert.Equal(
                    ("passed", "passed", "passed"),
                    (report["operations end"], report["nothing is pending"], report["host memory goes over MPI"])
                );
                Assert.Contains("of group world, failed: rank 1 aborted the job: out of luck", report["waiting"], StringComparison.Ordinal);
                Assert.Contains("rank 1 aborted", report["group"], StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void ARankThatNeverJoinsTheCliqueIsGivenUp()
    {
        var reports = Run(2, "nccl-missing", "devices=1");
        Assert.Equal("NcclException: rank 1 aborted the job: out of luck", reports[0]["join"]);
        Assert.Equal("passed", reports[1]["id"]);
    }

    private static IReadOnlyList<IReadOnlyDictionary<string, string>> Run(int ranks, string scenario, string settings)
    {
        Environment.SetEnvironmentVariable(Settings, settings);
        try
        {
            return MpiJob.Run(InstalledMpi.All[0], ranks, scenario);
        }
        finally
        {
            Environment.SetEnvironmentVariable(Settings, null);
        }
    }
}
