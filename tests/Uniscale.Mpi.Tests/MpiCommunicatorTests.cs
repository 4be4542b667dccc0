using Uniscale.Collectives.RankProgram;

namespace Uniscale.Mpi.Tests;

/// <summary>Uniscale.Mpi in processes under every mpirun of this machine: one job runs all checks, each test looks at a kind.</summary>
public sealed class MpiCommunicatorTests(MpiCommunicatorTests.Jobs jobs) : IClassFixture<MpiCommunicatorTests.Jobs>
{
    public static TheoryData<string, int, string> Kinds =>
        new(
            from mpi in InstalledMpi.All
            from ranks in (int[])[2, 4]
            from kind in (string[])
                [
                    "all-reduce",
                    "reduce-scatter",
                    "all-gather",
                    "all-to-all",
                    "broadcast",
                    "messages",
                    "split",
                    "an error names rank, operation and size",
                    "a message of another length is an error",
                    "a null reference is still an exception",
                    "a second start is refused",
                ]
            select (mpi.Name, ranks, kind)
        );

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Holds(string mpi, int ranks, string kind)
    {
        foreach (var report in jobs.Of(mpi, ranks))
        {
            var checks = report.Where(check => check.Key == kind || check.Key.StartsWith(kind + " ", StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(checks);
            Assert.All(checks, check => Assert.Equal("passed", check.Value));
        }
    }

    public static TheoryData<string> Mpis => [.. InstalledMpi.All.Select(mpi => mpi.Name)];

    [Theory]
    [MemberData(nameof(Mpis))]
    public void TheLauncherDecidesWhichLibraryIsTakenAndThePackageSpeaksToMpich(string mpi) =>
        Assert.All(jobs.Of(mpi, 2), report => Assert.Equal(InstalledMpi.Of(mpi).Flavour, report["flavour"]));

    [Fact]
    public void BothMpisAreTested() =>
        Assert.Equal(["MPICH", "Open MPI"], InstalledMpi.All.Where(mpi => mpi.Library is null).Select(mpi => mpi.Name));

    public sealed class Jobs
    {
        private readonly Dictionary<(string, int), IReadOnlyList<IReadOnlyDictionary<string, string>>> _reports = [];

        public IReadOnlyList<IReadOnlyDictionary<string, string>> Of(string mpi, int ranks)
        {
            if (!_reports.TryGetValue((mpi, ranks), out var reports))
                _reports[(mpi, ranks)] = reports = MpiJob.Run(InstalledMpi.Of(mpi), ranks, "mpi");
            return reports;
        }
    }
}
