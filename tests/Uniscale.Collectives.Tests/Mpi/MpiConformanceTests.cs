using Uniscale.Collectives.RankProgram;
using Uniscale.Collectives.Tests.Conformance;

namespace Uniscale.Collectives.Tests.Mpi;

/// <summary>
/// The same suite as in one process, by processes under every mpirun of this machine: one job runs all cases, each test looks at one.
/// </summary>
public sealed class MpiConformanceTests(MpiConformanceTests.Jobs jobs) : IClassFixture<MpiConformanceTests.Jobs>
{
    public static TheoryData<string, int, string> Cases =>
        new(
            from mpi in InstalledMpi.All
            from ranks in Nightly.Is ? [2, 4] : (int[])[4]
            from name in ConformanceSuite.Cases.Keys
            select (mpi.Name, ranks, name)
        );

    public static TheoryData<string> Mpis => [.. InstalledMpi.All.Select(mpi => mpi.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Holds(string mpi, int ranks, string name) =>
        Assert.All(jobs.Of(mpi, ranks), report => Assert.Equal("passed", report[name]));

    [Theory]
    [MemberData(nameof(Mpis))]
    public void AnAbortedRankFailsWhatOthersWaitForAndWhatComesLater(string mpi)
    {
        var reports = MpiJob.Run(InstalledMpi.Of(mpi), 4, "abort");
        for (int rank = 0; rank < 4; rank++)
        {
            Assert.Contains(
                $"rank {rank}: all-reduce (Sum) of 100,000 Float32 (390.6 KiB), operation 1 of group world, failed: "
                    + "rank 1 aborted the job: out of luck",
                reports[rank]["waiting"],
                StringComparison.Ordinal
            );
            Assert.Contains("rank 1 aborted", reports[rank]["later"], StringComparison.Ordinal);
            Assert.Contains("rank 1 aborted", reports[rank]["group"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Mpis))]
    public void AnotherOperationInTheSamePlaceIsAnError(string mpi)
    {
        var reports = MpiJob.Run(InstalledMpi.Of(mpi), 2, "mismatch");
        Assert.Matches(
            "all-reduce .* failed: .*(member 1 of group world posted another operation where member 0 reduces 1 Int64|truncated)",
            reports[0]["operation"]
        );
        Assert.NotEqual("passed", reports[1]["later"]);
    }

    public sealed class Jobs
    {
        private readonly Dictionary<(string, int), IReadOnlyList<IReadOnlyDictionary<string, string>>> _reports = [];

        public IReadOnlyList<IReadOnlyDictionary<string, string>> Of(string mpi, int ranks)
        {
            if (!_reports.TryGetValue((mpi, ranks), out var reports))
                _reports[(mpi, ranks)] = reports = MpiJob.Run(InstalledMpi.Of(mpi), ranks, "conformance");
            return reports;
        }
    }
}
