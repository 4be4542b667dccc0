using Uniscale.Collectives.Tests.Conformance;
using Uniscale.RankProgram;

namespace Uniscale.Collectives.Tests.Mpi;

/// <summary>The same suite as in one process, by processes under mpirun: one job runs all cases, each test looks at one.</summary>
public sealed class MpiConformanceTests(MpiConformanceTests.Jobs jobs) : IClassFixture<MpiConformanceTests.Jobs>
{
    public static TheoryData<string> Cases => [.. ConformanceSuite.Cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void HoldsOnTwoRanks(string name) => Assert.All(jobs.Two, report => Assert.Equal("passed", report[name]));

    [Theory]
    [MemberData(nameof(Cases))]
    public void HoldsOnFourRanks(string name) => Assert.All(jobs.Four, report => Assert.Equal("passed", report[name]));

    [Fact]
    public void AnAbortedRankFailsWhatOthersWaitForAndWhatComesLater()
    {
        var reports = MpiJob.Run(4, "abort");
        for (int rank = 0; rank < 4; rank++)
        {
            Assert.Contains($"rank {rank}: all-reduce (Sum) of 100,000 Float32 (390.6 KiB), operation 1 of group world, failed: "
                + "rank 1 aborted the job: out of luck", reports[rank]["waiting"], StringComparison.Ordinal);
            Assert.Contains("rank 1 aborted", reports[rank]["later"], StringComparison.Ordinal);
            Assert.Contains("rank 1 aborted", reports[rank]["group"], StringComparison.Ordinal);
        }
    }

    public sealed class Jobs
    {
        private readonly Lazy<IReadOnlyList<IReadOnlyDictionary<string, string>>> _two = new(() => MpiJob.Run(2, "conformance"));
        private readonly Lazy<IReadOnlyList<IReadOnlyDictionary<string, string>>> _four = new(() => MpiJob.Run(4, "conformance"));

        public IReadOnlyList<IReadOnlyDictionary<string, string>> Two => _two.Value;

        public IReadOnlyList<IReadOnlyDictionary<string, string>> Four => _four.Value;
    }
}
