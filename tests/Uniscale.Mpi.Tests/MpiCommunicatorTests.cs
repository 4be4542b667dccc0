using Uniscale.RankProgram;

namespace Uniscale.Mpi.Tests;

/// <summary>Uniscale.Mpi in processes under mpirun: one job runs all checks, each test looks at a kind.</summary>
public sealed class MpiCommunicatorTests(MpiCommunicatorTests.Jobs jobs) : IClassFixture<MpiCommunicatorTests.Jobs>
{
    public static TheoryData<int, string> Kinds => new(
        from ranks in (int[])[2, 4]
        from kind in (string[])[
            "all-reduce", "reduce-scatter", "all-gather", "all-to-all", "broadcast", "messages", "split",
            "an error names rank, operation and size", "a message of another length is an error",
            "a null reference is still an exception", "a second start is refused"]
        select (ranks, kind));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Holds(int ranks, string kind)
    {
        foreach (var report in jobs.Of(ranks))
        {
            var checks = report.Where(check => check.Key == kind || check.Key.StartsWith(kind + " ", StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(checks);
            Assert.All(checks, check => Assert.Equal("passed", check.Value));
        }
    }

    public sealed class Jobs
    {
        private readonly Dictionary<int, IReadOnlyList<IReadOnlyDictionary<string, string>>> _reports = [];

        public IReadOnlyList<IReadOnlyDictionary<string, string>> Of(int ranks)
        {
            if (!_reports.TryGetValue(ranks, out var reports)) _reports[ranks] = reports = MpiJob.Run(ranks, "mpi");
            return reports;
        }
    }
}
